// Device-mapper requests as ioctl buffers, and their answers (linux/dm-ioctl.h). Pure: a plan may carry the
// buffers to the frozen helper. Sectors are 512 bytes. Sizes and offsets come from abi.ts.
import { C, OFFSET, type PreparedIoctl, SIZE } from '#linux/abi.ts';
import { FormatError } from '#linux/system-error.ts';

const HEADER = OFFSET['struct dm_ioctl'];
const HEADER_SIZE = SIZE['struct dm_ioctl'];
const SPEC = OFFSET['struct dm_target_spec'];
const SPEC_SIZE = SIZE['struct dm_target_spec'];

/** One line of a table. In an answer to status, `parameters` is the target's status text. */
export interface DmTarget {
  readonly startSector: number;
  readonly sectorCount: number;
  /** 'linear', 'mirror', 'error', … */
  readonly type: string;
  readonly parameters: string;
}

export interface DmDevice {
  readonly name: string;
  readonly uuid: string;
  readonly major: number;
  readonly minor: number;
  readonly openCount: number;
  readonly suspended: boolean;
  readonly readOnly: boolean;
  readonly hasLiveTable: boolean;
  readonly hasInactiveTable: boolean;
}

/** For suspending while the frozen state forbids a file-system freeze, give both. */
export interface SuspendOptions {
  /** Do not wait for I/O in flight to be flushed; it is queued (`DM_NOFLUSH_FLAG`). */
  readonly noFlush?: boolean;
  /** Do not freeze the file system above (`DM_SKIP_LOCKFS_FLAG`). */
  readonly skipLockFs?: boolean;
}

export function encodeVersion(): PreparedIoctl {
  return request(C.DM_VERSION, '');
}

export function encodeCreate(name: string, uuid = ''): PreparedIoctl {
  return request(C.DM_DEV_CREATE, name, { uuid });
}

export function encodeRemove(name: string): PreparedIoctl {
  return request(C.DM_DEV_REMOVE, name);
}

export function encodeSuspend(name: string, options: SuspendOptions = {}): PreparedIoctl {
  const flags =
    C.DM_SUSPEND_FLAG |
    (options.noFlush ? C.DM_NOFLUSH_FLAG : 0) |
    (options.skipLockFs ? C.DM_SKIP_LOCKFS_FLAG : 0);
  return request(C.DM_DEV_SUSPEND, name, { flags });
}

/** Resuming makes a loaded (inactive) table live. */
export function encodeResume(name: string): PreparedIoctl {
  return request(C.DM_DEV_SUSPEND, name);
}

/** Loads `targets` as the inactive table, which resume makes live. The devices it names must exist. */
export function encodeTableLoad(name: string, targets: readonly DmTarget[], readOnly = false): PreparedIoctl {
  const data = Buffer.concat(targets.map(encodeTarget));
  const flags = readOnly ? C.DM_READONLY_FLAG : 0;
  return request(C.DM_TABLE_LOAD, name, { flags, targetCount: targets.length, data });
}

export function encodeTableClear(name: string): PreparedIoctl {
  return request(C.DM_TABLE_CLEAR, name);
}

export function encodeDeviceStatus(name: string): PreparedIoctl {
  return request(C.DM_DEV_STATUS, name);
}

/** Asks for status texts or table lines; `answerBytes` is the room for them. */
export function encodeTableStatus(
  name: string,
  what: 'status' | 'table',
  answerBytes: number,
): PreparedIoctl {
  // NOFLUSH: asking must not make the target flush, which blocks on a dead or suspended device.
  const flags = C.DM_NOFLUSH_FLAG | (what === 'table' ? C.DM_STATUS_TABLE_FLAG : 0);
  return request(C.DM_TABLE_STATUS, name, { flags, data: Buffer.alloc(answerBytes) });
}

export function encodeTableDeps(name: string, answerBytes: number): PreparedIoctl {
  return request(C.DM_TABLE_DEPS, name, { data: Buffer.alloc(answerBytes) });
}

/**
 * A message to a device; one that begins with @ goes to device-mapper itself. `answerBytes`: the room for what it
 * says.
 */
export function encodeMessage(name: string, message: string, answerBytes: number): PreparedIoctl {
  const text = Buffer.from(`${message}\0`);
  if (message.includes('\0')) throw broken('message contains NUL');
  // struct dm_target_msg: the sector (any, for device-mapper itself), then the text
  const data = Buffer.concat([Buffer.alloc(8), text], Math.max(8 + text.length, answerBytes));
  return request(C.DM_TARGET_MSG, name, { data });
}

/** Empty when nothing was said. @throws FormatError */
export function decodeMessage(answer: Uint8Array): string {
  const isAnswered = (headerOf(answer).readUInt32LE(HEADER.flags) & C.DM_DATA_OUT_FLAG) !== 0;
  return isAnswered ? text(dataOf(answer)) : '';
}

/** True when the kernel had more to say than the buffer holds: ask again with a larger one. */
export function isBufferFull(answer: Uint8Array): boolean {
  return (headerOf(answer).readUInt32LE(HEADER.flags) & C.DM_BUFFER_FULL_FLAG) !== 0;
}

/** @throws FormatError */
export function decodeDevice(answer: Uint8Array): DmDevice {
  const bytes = headerOf(answer);
  const flags = bytes.readUInt32LE(HEADER.flags);
  const { major, minor } = decodeDeviceNumber(bytes.readBigUInt64LE(HEADER.dev));
  return {
    name: text(bytes.subarray(HEADER.name, HEADER.name + C.DM_NAME_LEN)),
    uuid: text(bytes.subarray(HEADER.uuid, HEADER.uuid + C.DM_UUID_LEN)),
    major,
    minor,
    openCount: bytes.readInt32LE(HEADER.open_count),
    suspended: (flags & C.DM_SUSPEND_FLAG) !== 0,
    readOnly: (flags & C.DM_READONLY_FLAG) !== 0,
    hasLiveTable: (flags & C.DM_ACTIVE_PRESENT_FLAG) !== 0,
    hasInactiveTable: (flags & C.DM_INACTIVE_PRESENT_FLAG) !== 0,
  };
}

/** The targets in an answer to table status. @throws FormatError */
export function decodeTargets(answer: Uint8Array): DmTarget[] {
  const data = dataOf(answer);
  const count = headerOf(answer).readUInt32LE(HEADER.target_count);
  const targets: DmTarget[] = [];
  // In answers `next` counts from the first spec (in requests: from its own start), see dm-ioctl.h.
  for (let at = 0; targets.length < count; ) {
    if (at + SPEC_SIZE > data.length) throw broken('truncated target');
    targets.push({
      startSector: safe(data.readBigUInt64LE(at)),
      sectorCount: safe(data.readBigUInt64LE(at + SPEC.length)),
      type: text(data.subarray(at + SPEC.target_type, at + SPEC_SIZE)),
      parameters: text(data.subarray(at + SPEC_SIZE)),
    });
    const next = data.readUInt32LE(at + SPEC.next);
    if (targets.length < count && next < at + SPEC_SIZE) throw broken(`target chain goes back to ${next}`);
    at = next;
  }
  return targets;
}

/** The devices below, from an answer to table deps. @throws FormatError */
export function decodeDeps(answer: Uint8Array): { readonly major: number; readonly minor: number }[] {
  const data = dataOf(answer);
  if (data.length < 8) throw broken('truncated list of devices');
  const count = data.readUInt32LE(0);
  if (count > (data.length - 8) / 8) throw broken(`list of ${count} devices in ${data.length} bytes`);
  return Array.from({ length: count }, (_, i) => decodeDeviceNumber(data.readBigUInt64LE(8 + 8 * i)));
}

/** huge_encode_dev(), include/linux/kdev_t.h */
export function decodeDeviceNumber(dev: bigint): { readonly major: number; readonly minor: number } {
  return { major: Number((dev & 0xfff00n) >> 8n), minor: Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n)) };
}

/** A whole device as one linear target. `device` is "major:minor" or a path. */
export function linearTarget(device: string, sectorCount: number, offsetSector = 0): DmTarget {
  return { startSector: 0, sectorCount, type: 'linear', parameters: `${device} ${offsetSector}` };
}

/** A part of a device: "major:minor", and where it begins there. */
export interface DmLeg {
  readonly device: string;
  readonly offsetSector: number;
}

/**
 * Two devices of which every write goes to both, and reads come from the first (drivers/md/dm-raid1.c); the log of what is
 * equal is in memory. `isEqual`: nothing needs to be copied; else the kernel copies the first to the second. Writes that
 * one of them refuses wait until another table is loaded. At least 8 sectors, and a multiple of 8.
 */
export function mirrorTarget(
  startSector: number,
  sectorCount: number,
  legs: readonly [DmLeg, DmLeg],
  regionSectors: number,
  isEqual: boolean,
): DmTarget {
  const log = isEqual ? `core 2 ${regionSectors} nosync` : `core 2 ${regionSectors} sync`;
  const places = legs.map(each => `${each.device} ${each.offsetSector}`).join(' ');
  const parameters = `${log} 2 ${places} 1 handle_errors`;
  return { startSector, sectorCount, type: 'mirror', parameters };
}

/** What a mirror of two says of itself. */
export interface MirrorStatus {
  readonly equalRegions: number;
  readonly regions: number;
  /** By leg: whether it has never failed. */
  readonly isWell: readonly [boolean, boolean];
}

/** "2 43:0 254:16 40/100 1 AA 1 core": the status text of a mirror. @throws FormatError */
export function decodeMirrorStatus(text: string): MirrorStatus {
  const found = /^2 \S+ \S+ (\d+)\/(\d+) 1 ([A-Z])([A-Z])(?: |$)/.exec(text);
  if (!found) throw broken(`status of a mirror ${JSON.stringify(text.slice(0, 100))}`);
  const [, equal, regions, first, second] = found;
  return { equalRegions: Number(equal), regions: Number(regions), isWell: [first === 'A', second === 'A'] };
}

/** A target that reads as zeros and drops what is written (dm_zero.ko). */
export function zeroTarget(sectorCount: number): DmTarget {
  return { startSector: 0, sectorCount, type: 'zero', parameters: '' };
}

/** A target on which all I/O fails. */
export function errorTarget(sectorCount: number): DmTarget {
  return { startSector: 0, sectorCount, type: 'error', parameters: '' };
}

function request(
  number: number,
  name: string,
  options: {
    readonly uuid?: string;
    readonly flags?: number;
    readonly targetCount?: number;
    readonly data?: Buffer;
  } = {},
): PreparedIoctl {
  const { uuid = '', flags = 0, targetCount = 0, data = Buffer.alloc(0) } = options;
  if (Buffer.byteLength(name) >= C.DM_NAME_LEN || /[/\0]/.test(name))
    throw broken(`device name ${JSON.stringify(name)}`);
  if (Buffer.byteLength(uuid) >= C.DM_UUID_LEN || uuid.includes('\0'))
    throw broken(`uuid ${JSON.stringify(uuid)}`);
  // allocUnsafeSlow: memory of its own, not a slice of Node's pool, since the kernel writes into it.
  const buffer = Buffer.allocUnsafeSlow(HEADER_SIZE + data.length).fill(0);
  buffer.writeUInt32LE(4, 0); // version 4.0.0: the oldest interface that has all we use
  buffer.writeUInt32LE(buffer.length, HEADER.data_size);
  buffer.writeUInt32LE(HEADER_SIZE, HEADER.data_start);
  buffer.writeUInt32LE(targetCount, HEADER.target_count);
  buffer.writeUInt32LE(flags, HEADER.flags);
  buffer.write(name, HEADER.name);
  buffer.write(uuid, HEADER.uuid);
  data.copy(buffer, HEADER_SIZE);
  return { request: number, buffer };
}

function encodeTarget(target: DmTarget): Buffer {
  if (!/^[a-z0-9_-]{1,15}$/.test(target.type)) throw broken(`target type ${JSON.stringify(target.type)}`);
  if (target.parameters.includes('\0')) throw broken('target parameters contain NUL');
  const parameters = Buffer.from(`${target.parameters}\0`);
  const spec = Buffer.alloc((SPEC_SIZE + parameters.length + 7) & ~7);
  spec.writeBigUInt64LE(BigInt(target.startSector), 0);
  spec.writeBigUInt64LE(BigInt(target.sectorCount), SPEC.length);
  spec.writeUInt32LE(spec.length, SPEC.next);
  spec.write(target.type, SPEC.target_type);
  parameters.copy(spec, SPEC_SIZE);
  return spec;
}

function headerOf(answer: Uint8Array): Buffer {
  if (answer.length < HEADER_SIZE) throw broken(`answer of ${answer.length} bytes`);
  return Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
}

function dataOf(answer: Uint8Array): Buffer {
  const bytes = headerOf(answer);
  const start = bytes.readUInt32LE(HEADER.data_start);
  const end = bytes.readUInt32LE(HEADER.data_size);
  if (start < HEADER_SIZE || start > end || end > bytes.length) throw broken(`data at ${start}..${end}`);
  return bytes.subarray(start, end);
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(`${value} sectors`);
  return Number(value);
}

function broken(problem: string): FormatError {
  return new FormatError('device-mapper', problem);
}
