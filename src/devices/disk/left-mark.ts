// The mark on a disk whose OS has gone to another computer: from there the OS goes on using it over the network, so it must
// not be started from it a second time. It lies in the first 1024 bytes, which ext4 leaves to boot loaders, and is only
// written where nothing else is. The initramfs looks for it, and so does a standby that was switched on anew.
import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';
import { forgetCached } from '#linux/disk-contents.ts';

/** At offset 0; packaging/files/initramfs-local-premount knows it too. */
export const markMagic = 'YADOKARI';
const markBytes = 1024;

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

/** Undefined also when the disk cannot be read. */
export function readMark(path: string): string | undefined {
  try {
    return decodeMark(firstBytes(path));
  } catch {
    return undefined;
  }
}

/**
 * How the disk is reached. disk: by itself, while nothing else writes to what shares a block with the mark; mounted: by the
 * device that the file system is mounted from, whose own copy of that block is changed with it.
 */
export type ReachedBy = 'disk' | 'mounted';

/** Marks a disk, for good when this returns. @throws Error saying why it cannot be marked */
export function writeMark(path: string, text: string, by: ReachedBy = 'disk'): void {
  const mark = encodeMark(text);
  if (!mark) throw new Error('there is too much to say for the first 1024 bytes of the disk');
  const there = firstBytes(path, by);
  if (there.some(byte => byte !== 0) && decodeMark(there) === undefined)
    throw new Error('something else lies in the first 1024 bytes of the disk');
  overwrite(path, mark, by);
}

/** Takes a mark away; a disk without one is not touched. */
export function clearMark(path: string, by: ReachedBy = 'disk'): void {
  if (decodeMark(firstBytes(path, by)) !== undefined) overwrite(path, Buffer.alloc(markBytes), by);
}

function firstBytes(path: string, by: ReachedBy = 'disk'): Buffer {
  const fd = openSync(path, 'r');
  try {
    // Beneath the stub the disk is written to past what this kernel remembers of it.
    if (by === 'disk') forgetCached(fd);
    const bytes = Buffer.alloc(markBytes);
    readSync(fd, bytes, 0, markBytes, 0);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

function overwrite(path: string, bytes: Buffer, by: ReachedBy): void {
  const fd = openSync(path, 'r+');
  try {
    if (by === 'disk') forgetCached(fd); // what shares a block with it is written back too
    writeSync(fd, bytes, 0, bytes.length, 0);
    fdatasyncSync(fd);
    if (by === 'disk') forgetCached(fd);
  } finally {
    closeSync(fd);
  }
}
