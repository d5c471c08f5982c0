// What lies on a disk, by its beginning and its end: where every partition table, file system, volume and RAID has its
// signature. Only zeros count as nothing; what has no name is still something. Reads only.
import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { C } from '#linux/abi.ts';
import { ioctl } from '#linux/ffi.ts';
import { hashParts } from '#linux/region-hashes.ts';

/** GPT has 34 sectors at both ends, btrfs begins at 64 KiB, md and ZFS keep theirs within 512 KiB of an end. */
export const looksAtBytes = 2 ** 20;

export interface DiskContents {
  /** "a file system (ext4)"; undefined when both ends are zero. */
  readonly holds: string | undefined;
  /** The first bytes. */
  readonly head: Buffer;
}

/** The UUID of the ext2, ext3 or ext4 that begins with these bytes (fs/ext4/ext4.h); undefined when none does. */
export function extUuid(head: Buffer): string | undefined {
  const superblock = head.subarray(1024, 2048);
  if (superblock.length < 1024 || superblock.readUInt16LE(56) !== 0xef53) return undefined;
  return superblock.toString('hex', 104, 120);
}

/**
 * As `extUuid`, of what is mounted from a device. Undefined also when it cannot be read. A device that does not answer keeps a
 * thread, and nobody else. @throws the reason of `signal`
 */
export const readExtUuid = (path: string, signal: AbortSignal): Promise<string | undefined> =>
  orAborted(
    readHead(path).then(extUuid, () => undefined),
    signal,
  );

/**
 * Returns once a disk answers at both ends: what is read or written of it on the spot behind this does not keep the caller.
 * @throws the error of reading it; the reason of `signal`
 */
export async function untilAnswered(path: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  const bytes = 4096;
  const ends = [0, Math.max(0, Math.floor(sizeBytes / bytes) - 1) * bytes];
  await orAborted(
    hashParts(
      path,
      ends.map(start => ({ start, bytes })),
      'disk',
    ),
    signal,
  );
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(2048);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** At which byte of the beginning; negative: of the end. The first one that fits names it. */
const signatures: readonly (readonly [offset: number, bytes: string, name: string])[] = [
  [0, 'LUKS', 'an encrypted volume (LUKS)'],
  [512, 'EFI PART', 'a partition table (GPT)'],
  [24, 'LVM2 001', 'a volume of LVM'],
  [512 + 24, 'LVM2 001', 'a volume of LVM'],
  [1024 + 56, '\x53\xef', 'a file system (ext2, ext3 or ext4)'],
  [0, 'XFSB', 'a file system (XFS)'],
  [0x10040, '_BHRfS_M', 'a file system (btrfs)'],
  [4086, 'SWAPSPACE2', 'swap space'],
  [4096, '\xfc\x4e\x2b\xa9', 'a part of a RAID (md)'],
  [0, '\xfc\x4e\x2b\xa9', 'a part of a RAID (md)'],
  [3, 'NTFS    ', 'a file system (NTFS)'],
  [3, 'EXFAT   ', 'a file system (exFAT)'],
  [82, 'FAT32', 'a file system (FAT)'],
  [54, 'FAT1', 'a file system (FAT)'],
  [32769, 'CD001', 'an image of a CD'],
  [510, '\x55\xaa', 'a partition table or a boot loader'],
];

/** @throws the error of the file */
export function readContents(path: string, sizeBytes: number): DiskContents {
  const fd = openSync(path, 'r');
  try {
    forgetCached(fd);
    const bytes = Math.min(looksAtBytes, sizeBytes);
    const head = readAt(fd, 0, bytes);
    const tail = readAt(fd, sizeBytes - bytes, bytes);
    return { holds: nameOf(head, tail), head };
  } finally {
    closeSync(fd);
  }
}

/** What the kernel remembers of a block device may be older than what was written to it by another way. */
export function forgetCached(fd: number): void {
  try {
    ioctl(fd, C.BLKFLSBUF, 0, 'forget what was read of the disk');
  } catch {
    // A file knows no such thing.
  }
}

function nameOf(head: Buffer, tail: Buffer): string | undefined {
  const isZero = (bytes: Buffer): boolean => bytes.every(byte => byte === 0);
  if (isZero(head) && isZero(tail)) return undefined;
  const found = signatures.find(
    ([offset, bytes]) => head.toString('latin1', offset, offset + bytes.length) === bytes,
  );
  return found?.[2] ?? (isZero(head) ? 'something at its end' : 'data');
}

function readAt(fd: number, start: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let got = 0; got < length; ) {
    const count = readSync(fd, bytes, got, length - got, start + got);
    if (count === 0) break;
    got += count;
  }
  return bytes;
}
