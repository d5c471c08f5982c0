// The mark on a disk whose OS has gone to another computer: from there the OS goes on using it over the network, so it must
// not be started from it a second time. It lies in the first 1024 bytes, which ext4 leaves to boot loaders, and is only
// written where nothing else is. The initramfs looks for it, and so does a standby that was switched on anew.
import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';

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

/** Marks a disk, for good when this returns. @throws Error saying why it cannot be marked */
export function writeMark(path: string, text: string): void {
  const mark = encodeMark(text);
  if (!mark) throw new Error('there is too much to say for the first 1024 bytes of the disk');
  const there = firstBytes(path);
  if (there.some(byte => byte !== 0) && decodeMark(there) === undefined)
    throw new Error('something else lies in the first 1024 bytes of the disk');
  overwrite(path, mark);
}

/** Takes a mark away; a disk without one is not touched. */
export function clearMark(path: string): void {
  if (decodeMark(firstBytes(path)) !== undefined) overwrite(path, Buffer.alloc(markBytes));
}

function firstBytes(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(markBytes);
    readSync(fd, bytes, 0, markBytes, 0);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

function overwrite(path: string, bytes: Buffer): void {
  const fd = openSync(path, 'r+');
  try {
    writeSync(fd, bytes, 0, bytes.length, 0);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
