// Page frames of the OS that a target has no memory for: a few at the edges of what the firmware leaves to an OS, because
// ACPI tables of other cards are larger. The OS can give so few up while it runs. Pure.

import type { Capabilities, RamRange } from './capabilities.ts';
import { countFrames, subtractRanges } from './ram-ranges.ts';

/** More than this is another memory map. */
const edgePages = 256;

/** The first MiB: the kernel keeps it for itself, uses some of it, and has all of it in every image. */
export const lowPages = 256;

/** All that the source has and the target has not. */
export const framesOutside = (source: Capabilities, target: Capabilities): RamRange[] =>
  subtractRanges(source.memory.ramRanges, target.memory.ramRanges);

/** What the OS has to give up for this move; undefined when that is too much, or what no kernel can do without. */
export function memoryEdge(source: Capabilities, target: Capabilities): RamRange[] | undefined {
  const outside = framesOutside(source, target);
  const isLow = outside.some(({ startPfn }) => startPfn < lowPages);
  return isLow || countFrames(outside) > edgePages ? undefined : outside;
}
