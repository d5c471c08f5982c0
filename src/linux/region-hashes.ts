// Hashes of parts of a block device, past the page cache where that is asked for: beneath device-mapper nothing else shows
// what is on the disk. Reads only.
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MappedMemory } from '#linux/mapped-memory.ts';
import { FormatError } from '#linux/system-error.ts';

/** A part of a device, bytes. What is read past the page cache begins and ends with whole blocks of 4096. */
export interface DevicePart {
  readonly start: number;
  readonly bytes: number;
}

/** cached: as others in this kernel see it who use the device itself; disk: what the disk gives. */
export type ReadFrom = 'cached' | 'disk';

/**
 * SHA-256 of each part, 32 bytes each. The first `blankBytes` of the device count as zeros.
 * @throws the error of the file; FormatError when it ends before
 */
export async function hashParts(
  path: string,
  parts: readonly DevicePart[],
  from: ReadFrom,
  { blankBytes = 0, signal }: { readonly blankBytes?: number; readonly signal?: AbortSignal } = {},
): Promise<Buffer[]> {
  const largest = Math.max(1, ...parts.map(each => each.bytes));
  const file = await open(path, constants.O_RDONLY | (from === 'disk' ? constants.O_DIRECT : 0));
  // Its address is that of a page, as O_DIRECT wants it.
  using memory = new MappedMemory(-1, largest, { what: 'memory to read a disk into' });
  try {
    const hashes: Buffer[] = [];
    for (const part of parts) {
      signal?.throwIfAborted();
      const bytes = memory.bytes.subarray(0, part.bytes);
      await readPart(file, part, bytes, path);
      if (part.start < blankBytes) bytes.fill(0, 0, blankBytes - part.start);
      hashes.push(createHash('sha256').update(bytes).digest());
    }
    return hashes;
  } finally {
    await file.close();
  }
}

async function readPart(file: FileHandle, part: DevicePart, into: Buffer, path: string): Promise<void> {
  for (let got = 0; got < part.bytes; ) {
    const { bytesRead } = await file.read(into, got, part.bytes - got, part.start + got);
    if (bytesRead === 0) throw new FormatError(path, `ends before byte ${part.start + part.bytes}`);
    got += bytesRead;
  }
}
