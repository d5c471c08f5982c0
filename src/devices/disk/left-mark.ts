// The mark on a disk whose OS has gone to another computer, or is about to: from there the OS goes on using it over the
// network, so it must not be started from it a second time. It lies in the first 1024 bytes, which ext4 leaves to boot
// loaders, and is only written where nothing else is. The stub hides them from the OS, whose file system would write them
// as they were. On an encrypted disk (LUKS) it lies where neither keys nor data are, and nothing is hidden. The initramfs looks
// for the mark, and so does a standby that was switched on anew.
import { closeSync, constants, fdatasyncSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { readDirect } from '#linux/direct-read.ts';
import { isLuks, type LuksSpot, luksSpot } from '#linux/luks-header.ts';
import { MappedMemory } from '#linux/mapped-memory.ts';

/** At offset 0, or as src/linux/luks-header.ts finds; packaging/files/initramfs-local-premount knows it too. */
export const markMagic = 'YADOKARI';
/** The stub hides as many from the OS. */
export const markBytes = 1024;

/** The bytes of a mark that says `text`; undefined when it is too long. */
export function encodeMark(text: string): Buffer | undefined {
  const bytes = Buffer.from(`${markMagic}${text}\0`);
  return bytes.length > markBytes ? undefined : Buffer.concat([bytes], markBytes);
}

/** What the mark in the first bytes of a disk says; undefined when there is none. */
export function decodeMark(bytes: Buffer): string | undefined {
  const text = bytes.subarray(0, markBytes).toString('utf8');
  const end = text.indexOf('\0');
  return text.startsWith(markMagic) && end > 0 ? text.slice(markMagic.length, end) : undefined;
}

/** The mark of a disk that gets a copy of the one at another computer: nothing is started or served from half of it. */
export const encodeCopyMark = (osId: string, copyOf: string): string => JSON.stringify({ osId, copyOf });

export function isCopyMark(text: string): boolean {
  try {
    return Object.hasOwn(JSON.parse(text) as object, 'copyOf');
  } catch {
    return false;
  }
}

/** Undefined also when the disk cannot be read. */
export function readMark(path: string): string | undefined {
  try {
    return decodeMark(bytesAt(path, spotOf(path).start));
  } catch {
    return undefined;
  }
}

/**
 * Marks a disk, for good when this returns. anyway: over what is there, on a disk that is to be overwritten.
 * @throws Error saying why it cannot be marked
 */
export function writeMark(path: string, text: string, where: 'ifFree' | 'anyway' = 'ifFree'): void {
  const mark = encodeMark(text);
  if (!mark) throw new Error('there is too much to say for the 1024 bytes of a mark');
  overwrite(path, where === 'anyway' ? 0 : freeSpot(path), mark);
}

/** Writes nothing. @throws Error saying why the disk cannot be marked, as far as that can be seen beforehand */
export const tryMark = (path: string): void => void freeSpot(path);

/** Takes a mark away; a disk without one is not touched. */
export function clearMark(path: string): void {
  const { start } = spotOf(path);
  if (decodeMark(bytesAt(path, start)) !== undefined) overwrite(path, start, Buffer.alloc(markBytes));
}

/** Where a mark can be written. @throws Error saying why it cannot */
function freeSpot(path: string): number {
  const { start, isRoomForKeys } = spotOf(path);
  const there = bytesAt(path, start);
  if (isRoomForKeys || there.every(byte => byte === 0) || decodeMark(there) !== undefined) return start;
  const place = start === 0 ? 'first 1024 bytes of the disk' : 'bytes before the data of the LUKS container';
  throw new Error(`something else lies in the ${place}`);
}

/** @throws FormatError for a container in which there is no place */
function spotOf(path: string): LuksSpot {
  const first = bytesAt(path, 0);
  const spot = isLuks(first) ? luksSpot((start, bytes) => readDirect(path, start, bytes)) : undefined;
  return spot ?? { start: 0, isRoomForKeys: false };
}

function bytesAt(path: string, start: number): Buffer {
  return past(path, constants.O_RDONLY, (fd, bytes) => {
    readSync(fd, bytes, 0, markBytes, start);
    return Buffer.from(bytes);
  });
}

function overwrite(path: string, start: number, mark: Buffer): void {
  past(path, constants.O_RDWR | constants.O_DSYNC, (fd, bytes) => {
    mark.copy(bytes);
    const written = writeSync(fd, bytes, 0, markBytes, start);
    if (written !== markBytes) throw new Error(`only ${written} of ${markBytes} bytes were written`);
    fdatasyncSync(fd); // what the disk itself keeps back
  });
}

/**
 * Past the page cache: it holds the whole first block as it was when that was read last, and would write back with the mark
 * a superblock of then. Fails where a sector has more bytes than the mark.
 */
function past<T>(path: string, flags: number, work: (fd: number, bytes: Buffer) => T): T {
  using aligned = new MappedMemory(-1, markBytes);
  const isDisk = statSync(path).isBlockDevice(); // a file of a test may lie where there is no direct I/O
  const fd = openSync(path, flags | (isDisk ? constants.O_DIRECT : 0));
  try {
    return work(fd, aligned.bytes);
  } finally {
    closeSync(fd);
  }
}
