// Messages between the kernel and the server of a CUSE device (include/uapi/linux/fuse.h, version 7.38). Pure bytes.
// One read gives one whole request; one write takes one whole reply.
import { FormatError } from '#linux/system-error.ts';

export const fuseOpcodes = {
  open: 14,
  read: 15,
  write: 16,
  release: 18,
  flush: 25,
  interrupt: 36,
  ioctl: 39,
  poll: 40,
  cuseInit: 4096,
} as const;

/** CUSE writes and reads are cut to so much. */
export const cuseMaxBytes = 128 * 1024;
/** What a read from /dev/cuse must have room for: header, struct fuse_write_in and the data. */
export const cuseBufferBytes = cuseMaxBytes + 4096;

const headerBytes = 40; // struct fuse_in_header
const replyBytes = 16; // struct fuse_out_header
const unrestrictedIoctl = 1; // CUSE_UNRESTRICTED_IOCTL
const ioctlRetry = 4; // FUSE_IOCTL_RETRY
const notifyPoll = 1; // FUSE_NOTIFY_POLL
const pollSchedule = 1; // FUSE_POLL_SCHEDULE_NOTIFY

/** A request. `unique` is what its reply must carry; `body` what follows the header. */
export interface FuseRequest {
  readonly opcode: number;
  readonly unique: bigint;
  readonly pid: number;
  readonly body: Buffer;
}

/** @throws FormatError when the bytes are not one whole request */
export function decodeFuseRequest(bytes: Buffer): FuseRequest {
  if (bytes.length < headerBytes || bytes.readUInt32LE(0) !== bytes.length)
    throw new FormatError('FUSE request', `${bytes.length} bytes`);
  return {
    opcode: bytes.readUInt32LE(4),
    unique: bytes.readBigUInt64LE(8),
    pid: bytes.readUInt32LE(32),
    body: bytes.subarray(headerBytes),
  };
}

/** struct fuse_write_in and the data behind it. @throws FormatError */
export function decodeWrite(body: Buffer): { handle: bigint; nonBlocking: boolean; data: Buffer } {
  const size = body.length < 40 ? -1 : body.readUInt32LE(16);
  if (size !== body.length - 40)
    throw new FormatError('FUSE write', `${size} bytes named, ${body.length - 40} there`);
  return {
    handle: body.readBigUInt64LE(0),
    nonBlocking: isNonBlocking(body.readUInt32LE(32)),
    data: body.subarray(40),
  };
}

const isNonBlocking = (flags: number): boolean => (flags & 0x800) !== 0; // O_NONBLOCK

/** struct fuse_ioctl_in. `outBytes` is what the kernel is ready to copy to the program; 0 the first time it asks. */
export function decodeIoctl(body: Buffer): { command: number; argument: bigint; outBytes: number } {
  if (body.length < 32) throw new FormatError('FUSE ioctl', `${body.length} bytes`);
  return {
    command: body.readUInt32LE(12),
    argument: body.readBigUInt64LE(16),
    outBytes: body.readUInt32LE(28),
  };
}

/** struct fuse_poll_in. `wake` is the kernel's handle of who waits, undefined when nobody does. */
export function decodePoll(body: Buffer): { wake: bigint | undefined } {
  if (body.length < 24) throw new FormatError('FUSE poll', `${body.length} bytes`);
  const schedule = (body.readUInt32LE(16) & pollSchedule) !== 0;
  return { wake: schedule ? body.readBigUInt64LE(8) : undefined };
}

/** The number of the request that an INTERRUPT is about. */
export function decodeInterrupt(body: Buffer): bigint {
  if (body.length < 8) throw new FormatError('FUSE interrupt', `${body.length} bytes`);
  return body.readBigUInt64LE(0);
}

export function encodeReply(unique: bigint, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([replyHead(replyBytes + payload.length, 0, unique), payload]);
}

/** `errno` positive, such as `constants.errno.EAGAIN`. */
export function encodeError(unique: bigint, errno: number): Buffer {
  return replyHead(replyBytes, -errno, unique);
}

/** Answers CUSE_INIT: the device is /dev/`name`, of a free device number. */
export function encodeCuseInit(unique: bigint, name: string): Buffer {
  const out = Buffer.alloc(72); // struct cuse_init_out
  out.writeUInt32LE(7, 0);
  out.writeUInt32LE(38, 4);
  out.writeUInt32LE(unrestrictedIoctl, 12);
  out.writeUInt32LE(cuseMaxBytes, 16);
  out.writeUInt32LE(cuseMaxBytes, 20);
  return encodeReply(unique, Buffer.concat([out, Buffer.from(`DEVNAME=${name}\0`)]));
}

export function encodeOpened(unique: bigint, handle: bigint): Buffer {
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(handle, 0);
  return encodeReply(unique, out);
}

export function encodeWritten(unique: bigint, count: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(count, 0);
  return encodeReply(unique, out);
}

export function encodePolled(unique: bigint, events: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(events, 0);
  return encodeReply(unique, out);
}

/** Wakes who has polled: it asks again. */
export function encodeWake(wake: bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(wake, 0);
  return Buffer.concat([replyHead(replyBytes + 8, notifyPoll, 0n), out]);
}

/** The ioctl is done: its result and what the program gets. */
export function encodeIoctlDone(unique: bigint, data: Uint8Array): Buffer {
  return encodeReply(unique, Buffer.concat([Buffer.alloc(16), data]));
}

/** Asks the kernel to call again, ready to copy `bytes` to the program's memory at `argument`. */
export function encodeIoctlAgain(unique: bigint, argument: bigint, bytes: number): Buffer {
  const out = Buffer.alloc(32); // struct fuse_ioctl_out, one struct fuse_ioctl_iovec
  out.writeUInt32LE(ioctlRetry, 4);
  out.writeUInt32LE(1, 12);
  out.writeBigUInt64LE(argument, 16);
  out.writeBigUInt64LE(BigInt(bytes), 24);
  return encodeReply(unique, out);
}

function replyHead(length: number, error: number, unique: bigint): Buffer {
  const head = Buffer.alloc(replyBytes);
  head.writeUInt32LE(length, 0);
  head.writeInt32LE(error, 4);
  head.writeBigUInt64LE(unique, 8);
  return head;
}
