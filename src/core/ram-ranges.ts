// Arithmetic on sets of page frames given as ranges. Pure; ranges may come unsorted and overlapping.

import type { RamRange } from './capabilities.ts';

/** The same frames as sorted ranges that neither touch nor overlap. */
export function mergeRanges(ranges: readonly RamRange[]): RamRange[] {
  const merged: { startPfn: number; endPfn: number }[] = [];
  for (const { startPfn, endPfn } of ranges.toSorted((a, b) => a.startPfn - b.startPfn)) {
    const last = merged.at(-1);
    if (last && startPfn <= last.endPfn) last.endPfn = Math.max(last.endPfn, endPfn);
    else merged.push({ startPfn, endPfn });
  }
  return merged;
}

/** The frames that are in `ranges` but not in `holes`. */
export function subtractRanges(ranges: readonly RamRange[], holes: readonly RamRange[]): RamRange[] {
  const rest: RamRange[] = [];
  const cuts = mergeRanges(holes);
  for (const range of mergeRanges(ranges)) {
    let startPfn = range.startPfn;
    for (const cut of cuts) {
      if (cut.endPfn <= startPfn) continue;
      if (cut.startPfn >= range.endPfn) break;
      if (cut.startPfn > startPfn) rest.push({ startPfn, endPfn: cut.startPfn });
      startPfn = Math.max(startPfn, cut.endPfn);
    }
    if (startPfn < range.endPfn) rest.push({ startPfn, endPfn: range.endPfn });
  }
  return rest;
}

/** Number of frames in ranges that do not overlap. */
export function countFrames(ranges: readonly RamRange[]): number {
  return ranges.reduce((sum, { startPfn, endPfn }) => sum + endPfn - startPfn, 0);
}

/** True when `pfn` lies in one of the ranges. */
export function hasFrame(ranges: readonly RamRange[], pfn: number): boolean {
  return ranges.some(range => range.startPfn <= pfn && pfn < range.endPfn);
}
