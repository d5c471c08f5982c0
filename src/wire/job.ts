// A job for the frozen helper as tagged fields. Pure.

import type { RamRange } from '#core/capabilities.ts';
import { faultKinds, faultNumber, parseFault } from '#core/faults.ts';
import { encodeFrame } from '#wire/frame.ts';
import { claimKeyBytes, frameTypes, jobFields, maxJobBytes, tagSeedBytes, tokenBytes } from '#wire/frames.ts';
import { encodePlan, type Plan } from '#wire/plan.ts';

/** Milliseconds. `stall`: no byte moves; `ready`: until B is ready (or begins); `claim`: until the copy claims. */
export interface HelperTimeouts {
  readonly stallMs: number;
  readonly readyMs: number;
  readonly claimMs: number;
  readonly repeatMs: number;
}

interface CommonJob {
  readonly epoch: number;
  /** What begins the stream, and marks the mailbox page. */
  readonly token: Uint8Array;
  readonly timeouts: HelperTimeouts;
  /** Armed fault points (src/core/faults.ts), for tests. */
  readonly faults: readonly string[];
  /** Where RAM lies in /proc/kcore. At A, none: nothing is copied ahead. */
  readonly memory: readonly { readonly offset: bigint; readonly startPfn: number; readonly endPfn: number }[];
  /** B's, when it looks for pages of A in its own memory; else empty. */
  readonly tagSeed: Uint8Array;
  /** The stream goes in the clear: for tests only, on kernels that have no TLS. Preflight refuses those. */
  readonly plain?: boolean;
}

/** A move of this OS, and what its claims are signed with. */
export interface ClaimKey {
  readonly epoch: number;
  readonly key: Uint8Array;
}

/** `struct tls12_crypto_info_…` for either direction, see src/linux/ktls.ts. */
export interface TlsOfStream {
  readonly out: Uint8Array;
  readonly in: Uint8Array;
}

export interface SourceJob extends CommonJob {
  readonly claimKey: Uint8Array;
  /** Of moves that have ended here: their copies are refused. */
  readonly pastClaims: readonly ClaimKey[];
  /** A's machine address (IPv4) and port, where the copy claims. */
  readonly claimAddress: string;
  readonly claimPort: number;
  /** Through which interface and from which address the copy claims. */
  readonly copyInterface: string;
  readonly copyAddress: string;
  readonly ghostArgv: readonly string[];
  /** Page frames that the OS will never use again: the target does without them. */
  readonly givenUp: readonly RamRange[];
  /** Pages that B has promised to hold. */
  readonly parkPages: number;
  readonly plans: SourcePlans;
}

export interface SourcePlans {
  readonly leave: Plan;
  readonly serve: Plan;
  readonly back: Plan;
  readonly arrive: Plan;
  readonly adopt: Plan;
}

export interface TargetJob extends CommonJob {
  /** Of the stream; undefined only when it is plain. */
  readonly tls: TlsOfStream | undefined;
  /** A's machine address (IPv4): whoever connects from another one is not heard. */
  readonly sourceAddress: string;
  readonly ramRanges: readonly RamRange[];
  readonly e820Checksum: number;
  readonly physicalPages: number;
  /** Pages that are held for A before it sends its image. */
  readonly parkPages: number;
  /** Run right before the restore; what fails in it is passed over. */
  readonly makeRoom: Plan;
}

export function encodeSourceJob(job: SourceJob): Buffer {
  const { plans } = job;
  for (const key of [job.claimKey, ...job.pastClaims.map(each => each.key)])
    if (key.length !== claimKeyBytes) throw new RangeError(`a claim key has ${claimKeyBytes} bytes`);
  return frame(frameTypes.jobSource.number, [
    ...common(job),
    field(jobFields.claimAddress, ipv4(job.claimAddress)),
    field(jobFields.claimPort, u32(job.claimPort)),
    field(jobFields.copyInterface, Buffer.from(job.copyInterface)),
    field(jobFields.copyAddress, ipv4(job.copyAddress)),
    field(jobFields.ghostArgv, Buffer.from(`${job.ghostArgv.join('\0')}\0`)),
    field(jobFields.parkPages, u32(job.parkPages)),
    field(jobFields.givenUp, ranges(job.givenUp)),
    field(jobFields.claimKey, job.claimKey),
    field(jobFields.pastClaims, Buffer.concat(job.pastClaims.flatMap(({ epoch, key }) => [u64(epoch), key]))),
    field(jobFields.planLeave, encodePlan(plans.leave)),
    field(jobFields.planServe, encodePlan(plans.serve)),
    field(jobFields.planReturn, encodePlan(plans.back)),
    field(jobFields.planArrive, encodePlan(plans.arrive)),
    field(jobFields.planAdopt, encodePlan(plans.adopt)),
  ]);
}

export function encodeTargetJob(job: TargetJob): Buffer {
  return frame(frameTypes.jobTarget.number, [
    ...common(job),
    field(jobFields.claimAddress, ipv4(job.sourceAddress)),
    field(jobFields.ramRanges, ranges(job.ramRanges)),
    field(jobFields.e820Checksum, u32(job.e820Checksum)),
    field(jobFields.physicalPages, u64(job.physicalPages)),
    field(jobFields.parkPages, u32(job.parkPages)),
    field(jobFields.planMakeRoom, encodePlan(job.makeRoom)),
    ...(job.tls ? [field(jobFields.tlsOut, job.tls.out), field(jobFields.tlsIn, job.tls.in)] : []),
  ]);
}

function common(job: CommonJob): Buffer[] {
  if (job.token.length !== tokenBytes) throw new RangeError(`a token has ${tokenBytes} bytes`);
  if (![0, tagSeedBytes].includes(job.tagSeed.length))
    throw new RangeError(`a seed has ${tagSeedBytes} bytes`);
  const { stallMs, readyMs, claimMs, repeatMs } = job.timeouts;
  return [
    field(jobFields.epoch, u64(job.epoch)),
    field(jobFields.token, job.token),
    field(jobFields.timeoutsMs, Buffer.concat([stallMs, readyMs, claimMs, repeatMs].map(u32))),
    field(jobFields.faults, Buffer.concat(job.faults.map(encodeFault))),
    field(
      jobFields.memory,
      Buffer.concat(
        job.memory.flatMap(({ offset, startPfn, endPfn }) => [offset, startPfn, endPfn].map(u64)),
      ),
    ),
    ...(job.tagSeed.length > 0 ? [field(jobFields.tagSeed, job.tagSeed)] : []),
    ...(job.plain ? [field(jobFields.plain, new Uint8Array())] : []),
  ];
}

const ranges = (list: readonly RamRange[]): Buffer =>
  Buffer.concat(list.flatMap(({ startPfn, endPfn }) => [u64(startPfn), u64(endPfn)]));

function frame(type: number, fields: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(fields);
  if (payload.length > maxJobBytes) throw new RangeError(`a job of ${payload.length} bytes`);
  return encodeFrame(type, 0n, payload);
}

function field(tag: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16LE(tag, 0);
  head.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** u16 point, u16 kind, u32 N; 0 is none. */
function encodeFault(text: string): Buffer {
  const { point, kind, n = 0 } = parseFault(text);
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(faultNumber(point), 0);
  bytes.writeUInt16LE(faultKinds[kind].number, 2);
  bytes.writeUInt32LE(n, 4);
  return bytes;
}

function ipv4(address: string): Buffer {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some(part => !(part >= 0 && part < 256)))
    throw new RangeError(`no IPv4 address: ${address}`);
  return Buffer.from(parts);
}
