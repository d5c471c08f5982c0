// Reads of a disk past the page cache: what the kernel remembers of a disk may be older than what was written to it by another
// way, as through a volume that lies on it.
import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { MappedMemory } from '#linux/mapped-memory.ts';

/** Multiples of the largest sector there is. */
const unitBytes = 4096;

/** `bytes` bytes from `start` on; fewer at the end of the disk. @throws the error of the file */
export function readDirect(path: string, start: number, bytes: number): Buffer {
  const from = Math.floor(start / unitBytes) * unitBytes;
  const length = Math.ceil((start + bytes - from) / unitBytes) * unitBytes;
  using memory = new MappedMemory(-1, length);
  const isDisk = statSync(path).isBlockDevice(); // a file of a test may lie where there is no direct I/O
  const fd = openSync(path, constants.O_RDONLY | (isDisk ? constants.O_DIRECT : 0));
  try {
    let got = 0;
    while (got < length) {
      const count = readSync(fd, memory.bytes, got, length - got, from + got);
      got += count;
      if (count === 0 || got % unitBytes !== 0) break;
    }
    return Buffer.from(memory.bytes.subarray(start - from, Math.min(got, start - from + bytes)));
  } finally {
    closeSync(fd);
  }
}
