// The local API of the agent: paths, and the shape of every request and answer, for the agent and for its clients.
// Pure. HTTP over a unix socket, JSON; errors are `{error: {code, message, hint}}` with a status of 400 or more.

import * as v from 'valibot';
import { RoleSchema } from './capabilities.ts';
import { severities } from './checks/check.ts';
import { ComputerSchema } from './computer.ts';
import { DeviceWaySchema } from './device-status-table.ts';
import { FollowReportSchema } from './disk-follow.ts';
import { DiskWishSchema } from './disk-wish.ts';
import { ErrorBodySchema, HistoryEntrySchema } from './history.ts';
import { KeySchema, NameSchema, PairedComputerSchema, PinSchema } from './pins.ts';
import { ProgressSchema } from './progress.ts';

export const defaultSocketPath = '/run/yado/api.sock';

/**
 * Every call of the API. `devices` answers a DeviceStatusTable, `where` a DeviceLocationTable, `history` a History,
 * `events` server-sent events (see `eventSchemas`), the others what is defined below.
 */
export const apiPaths = {
  status: 'GET /v1/status',
  devices: 'GET /v1/devices',
  where: 'GET /v1/where',
  computers: 'GET /v1/computers',
  history: 'GET /v1/history',
  events: 'GET /v1/events',
  doctor: 'POST /v1/doctor',
  migrate: 'POST /v1/migrate',
  cancel: 'POST /v1/cancel',
  standby: 'POST /v1/standby',
  lend: 'POST /v1/lend',
  return: 'POST /v1/return',
  pairs: 'GET /v1/pairs',
  pair: 'POST /v1/pair',
  accept: 'POST /v1/accept',
  confirm: 'POST /v1/confirm',
  unpair: 'POST /v1/unpair',
  resume: 'POST /v1/resume',
  medium: 'POST /v1/medium',
} as const;

export const ComputerRefSchema = v.object(ComputerSchema.entries);
export type ComputerRef = Readonly<v.InferOutput<typeof ComputerRefSchema>>;

export const StatusSchema = v.object({
  computer: ComputerRefSchema,
  role: RoleSchema,
  /** Present while the role is active: the OS that runs here. */
  os: v.optional(
    v.object({
      id: v.string(),
      epoch: v.pipe(v.number(), v.safeInteger()),
      addresses: v.array(v.string()),
      /** The computer it was started on, and whether that has its disk: then it starts the OS again. */
      home: v.optional(v.object({ computer: v.string(), hasDisk: v.boolean() })),
    }),
  ),
  migration: v.optional(v.nullable(ProgressSchema)),
  /** While the disk of the OS follows it, and when it has. */
  disk: v.optional(FollowReportSchema),
  /** On a standby: an OS that has left this computer's disk, or was about to, and where it was going. */
  left: v.optional(
    v.object({ os: v.string(), state: v.picklist(['leaving', 'left']), to: v.optional(v.string()) }),
  ),
  protocol: v.number(),
  version: v.string(),
});
export type Status = Readonly<v.InferOutput<typeof StatusSchema>>;

export const ComputersSchema = v.array(ComputerRefSchema);

export const MigrateRequestSchema = v.strictObject({
  to: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  dryRun: v.optional(v.boolean()),
  /** What is to become of the disk; not said: it stays where it is, or is used from there as before where both reach it. */
  disk: v.optional(DiskWishSchema),
  /** False: nothing is copied while the OS runs, all of it while it stands still. */
  preCopy: v.optional(v.boolean()),
  /** For how long the OS may stand still: otherwise a quiet moment is waited for, and then the move is given up. */
  maxDowntimeMs: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(3_600_000))),
  acceptRisks: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(64))),
});
export type MigrateRequest = Readonly<v.InferOutput<typeof MigrateRequestSchema>>;

export const CheckResultSchema = v.object({
  id: v.string(),
  ok: v.boolean(),
  severity: v.picklist(severities),
  accepted: v.boolean(),
  text: v.string(),
  hint: v.string(),
});
/** What was found before a move: the checks, and which way every device of the OS would take. */
const findings = {
  checks: v.array(CheckResultSchema),
  ways: v.array(
    v.object({ device: v.string(), way: DeviceWaySchema, computer: v.string(), reason: v.string() }),
  ),
};
/** Answer to a dry run (status 200), with what would be done, a sentence a step. */
export const DryRunSchema = v.object({ ...findings, plan: v.array(v.string()) });
export type DryRun = Readonly<v.InferOutput<typeof DryRunSchema>>;
export const DoctorRequestSchema = v.strictObject({
  /** The computer the OS could move to; without it the computer that is asked is looked at alone. */
  with: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(256))),
});
export type DoctorRequest = Readonly<v.InferOutput<typeof DoctorRequestSchema>>;
/** `computer` is the one that was asked. `ways` only together with `with`. */
export const DoctorSchema = v.object({
  computer: v.string(),
  role: RoleSchema,
  with: v.optional(v.string()),
  checks: findings.checks,
  ways: v.optional(findings.ways),
});
export type Doctor = Readonly<v.InferOutput<typeof DoctorSchema>>;
/** Answer when the move has begun (status 202). */
export const AcceptedSchema = v.object({ id: v.string() });

export const StandbyRequestSchema = v.strictObject({
  /** The ghost that is to become a standby; without it the computer that is asked. */
  computer: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(256))),
});
export type StandbyRequest = Readonly<v.InferOutput<typeof StandbyRequestSchema>>;

const DeviceId = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
/** The device of the OS and the computer whose device of the same class takes its place. */
export const LendRequestSchema = v.strictObject({ device: DeviceId, to: DeviceId });
export type LendRequest = Readonly<v.InferOutput<typeof LendRequestSchema>>;
export const ReturnRequestSchema = v.strictObject({ device: DeviceId });
export type ReturnRequest = Readonly<v.InferOutput<typeof ReturnRequestSchema>>;
/** Which computer has the device now. */
export const LentSchema = v.object({
  device: v.string(),
  computer: v.string(),
  typeName: v.optional(v.string()),
});
export type Lent = Readonly<v.InferOutput<typeof LentSchema>>;

/** `pair` asks a computer to be paired with this OS; `accept` waits at a computer for an OS that does. */
export const PairRequestSchema = v.strictObject({
  computer: NameSchema,
  /** Of a computer that the configuration does not name. */
  address: v.optional(v.pipe(v.string(), v.ipv4('an IPv4 address'))),
});
export type PairRequest = Readonly<v.InferOutput<typeof PairRequestSchema>>;
/** The answer to both: what is to be compared with what the other side shows. */
export const CodeSchema = v.object({ name: NameSchema, code: v.pipe(v.string(), v.regex(/^\d{6}$/)) });
export type Code = Readonly<v.InferOutput<typeof CodeSchema>>;
/** Answered when the other side has confirmed too. */
export const ConfirmRequestSchema = v.strictObject({
  /** As the other side shows it. */
  code: v.pipe(v.string(), v.maxLength(16)),
  agrees: v.boolean(),
});
export type ConfirmRequest = Readonly<v.InferOutput<typeof ConfirmRequestSchema>>;
export const PairedNameSchema = v.object({ name: NameSchema });
/** Keys for a computer's standby medium: it is paired with this OS from the moment of the answer. */
export const MediumRequestSchema = PairRequestSchema;
export type MediumRequest = Readonly<v.InferOutput<typeof MediumRequestSchema>>;
/** `keys`: the archive that its kernel unpacks before the standby image, in base64. Secret. */
export const MediumSchema = v.object({ keys: v.pipe(v.string(), v.base64()) });
export type Medium = Readonly<v.InferOutput<typeof MediumSchema>>;
export const UnpairRequestSchema = v.strictObject({ name: NameSchema });
export type UnpairRequest = Readonly<v.InferOutput<typeof UnpairRequestSchema>>;
/** Public keys only. `os` is not there where no OS is; its `computers` and `owners` are what it keeps on its disk. */
export const PairsSchema = v.object({
  computer: v.object({ name: NameSchema, key: KeySchema, owners: v.array(PinSchema) }),
  os: v.optional(
    v.object({
      id: v.string(),
      key: KeySchema,
      computers: v.array(PairedComputerSchema),
      owners: v.array(PinSchema),
    }),
  ),
});
export type Pairs = Readonly<v.InferOutput<typeof PairsSchema>>;

export const EmptySchema = v.object({});
export const ErrorAnswerSchema = v.object({ error: ErrorBodySchema });

/** Server-sent events by name; `data` is JSON. A stream may begin with the progress of a move under way. */
export const eventSchemas = {
  progress: ProgressSchema,
  done: HistoryEntrySchema,
  failed: ErrorAnswerSchema,
} as const;
