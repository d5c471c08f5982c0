// Memory of A that can be copied ahead: files in the place of /proc/kcore and /proc/kpageflags.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pageBytes } from '#wire/frames.ts';
import { patternPage } from './image.ts';
import { type Changes, pages, pfns } from './world.ts';

export const dataAt = 1 + 2; // behind the header and two lists
const first = pfns[0]!;
export const junkBytes = 8192; // the headers of the file
export const memory = [
  // In two pieces that lie the other way round in the file.
  { offset: BigInt(junkBytes + 300 * pageBytes), startPfn: first, endPfn: first + 400 },
  { offset: BigInt(junkBytes), startPfn: first + 400, endPfn: first + 700 },
];
const BUDDY = 1n << 10n;
/** Frames 650 to 699 are free when it is looked at, though the image has them. */
export const freeFrom = 650;

/** What the frame holds while memory is copied: most of it is what the image will hold. */
export const live = (frame: number): Buffer =>
  frame % 10 === 3 ? patternPage(100_000 + frame) : (pages[dataAt + frame] ?? Buffer.alloc(pageBytes));

export function writeMemory(folder: string, contents: (frame: number) => Buffer): void {
  const frames = pfns.map((_, frame) => contents(frame));
  writeFileSync(
    join(folder, 'kcore'),
    Buffer.concat([Buffer.alloc(junkBytes, 'junk'), ...frames.slice(400), ...frames.slice(0, 400)]),
  );
}

export function writeFlags(folder: string): void {
  const flags = Buffer.alloc((first + 700) * 8);
  for (let frame = 0; frame < 700; frame++)
    flags.writeBigUInt64LE(frame >= freeFrom ? BUDDY : 0n, (first + frame) * 8);
  writeFileSync(join(folder, 'kpageflags'), flags);
}

export const withMemory = (contents: (frame: number) => Buffer, more: Changes = {}): Changes => ({
  memory,
  parkPages: 700,
  prepare: folder => {
    writeMemory(folder, contents);
    writeFlags(folder);
  },
  ...more,
});
