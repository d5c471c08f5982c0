// Page frames of the OS that a target has no memory for: a few at the edges of what the firmware leaves to an OS, because
// ACPI tables of other cards are larger. The OS can give so few up while it runs; where there are more, parameters keep it off
// them from its start. Pure.

import type { Capabilities, RamRange } from './capabilities.ts';
import { countFrames, mergeRanges, subtractRanges } from './ram-ranges.ts';

/** Gaps between two places that are not worth a parameter of their own. */
const nearPages = 256;
/** The kernel takes 2048 characters, and the OS has parameters of its own. */
const parametersLimit = 1000;

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

/** A parameter for each of these places, with which a kernel keeps off it from the start. */
export const keptFree = (places: readonly RamRange[]): string[] =>
  places.map(({ startPfn, endPfn }) => `memmap=${(endPfn - startPfn) * 4}K$${startPfn * 4}K`);

/** Parameters with which the OS has no memory but where B has some; none when they would be too many. */
export function fittingParameters(a: Capabilities, b: Capabilities): string | undefined {
  const missing = framesOutside(a, b);
  const topPfn = Math.max(0, ...b.memory.ramRanges.map(each => each.endPfn));
  const within = missing
    .filter(each => each.startPfn < topPfn)
    .map(({ startPfn, endPfn }) => ({ startPfn, endPfn: endPfn + nearPages }));
  const joined = mergeRanges(within).map(({ startPfn, endPfn }) => ({
    startPfn,
    endPfn: endPfn - nearPages,
  }));
  const pagesPerMiB = 256;
  const parameters = [
    ...(missing.some(each => each.startPfn >= topPfn) ? [`mem=${Math.floor(topPfn / pagesPerMiB)}M`] : []),
    ...keptFree(joined),
  ].join(' ');
  return parameters.length <= parametersLimit ? parameters : undefined;
}
