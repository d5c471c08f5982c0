// The disk that follows the OS, as a sum: which part of it lies where, what is copied next, how far it is and how long it
// takes. Pure. The work itself: src/devices/disk/follow.ts; who has what at each moment: docs/disk.md.

import * as v from 'valibot';
import { formatBytes, formatMs } from './quantities.ts';

/** Compared, and copied, as a whole. A power of two; the last one of a disk may be shorter. */
export const regionBytes = 512 * 1024;
/** Compared at once, and at most copied at once: what is copied when the OS goes on is lost. */
export const windowBytes = 16 * 2 ** 20;
/** Of the sectors of a disk that can be marked and used by every file system that another one held. */
export const mostSectorBytes = 1024;
/** The kernel's mirror counts in pages. */
export const diskUnitBytes = 4096;

/** From `start` on, `bytes` long. */
export interface Extent {
  readonly start: number;
  readonly bytes: number;
}

/**
 * both: equal on the old disk and the new one, and every write goes to both; copy: the kernel copies it to the new one;
 * remote: on the old disk only.
 */
export type SegmentKind = 'both' | 'copy' | 'remote';
export interface Segment extends Extent {
  readonly kind: SegmentKind;
}

/** Regions of the part of a disk that begins at `start`, a multiple of `regionBytes`. */
export function regionsOf({ start, bytes }: Extent): Extent[] {
  const count = Math.ceil(bytes / regionBytes);
  return Array.from({ length: count }, (_, index) => {
    const from = index * regionBytes;
    return { start: start + from, bytes: Math.min(regionBytes, bytes - from) };
  });
}

/** The part that is done next; undefined when the whole disk is done. */
export function nextWindow(sizeBytes: number, doneBytes: number): Extent | undefined {
  if (doneBytes >= sizeBytes) return undefined;
  return { start: doneBytes, bytes: Math.min(windowBytes, sizeBytes - doneBytes) };
}

/** Neighbours become one. `extents` ascend and do not overlap. */
export function joined(extents: readonly Extent[]): Extent[] {
  const all: Extent[] = [];
  for (const each of extents) {
    const last = all.at(-1);
    if (last && last.start + last.bytes === each.start)
      all[all.length - 1] = { start: last.start, bytes: last.bytes + each.bytes };
    else all.push(each);
  }
  return all;
}

/** The regions of a window whose hashes differ. Both have one for each region. */
export function differing(
  window: Extent,
  there: readonly string[],
  here: readonly string[],
): readonly Extent[] {
  const regions = regionsOf(window);
  if (there.length !== regions.length || here.length !== regions.length)
    throw new Error(`${there.length} and ${here.length} hashes of ${regions.length} regions`);
  return regions.filter((_, index) => there[index] !== here[index]);
}

/**
 * The whole disk: what lies before `doneBytes` is equal, so is what is in `window` but for `copying`, and the rest is
 * remote.
 */
export function segmentsOf(
  sizeBytes: number,
  doneBytes: number,
  window?: Extent,
  copying: readonly Extent[] = [],
): Segment[] {
  const end = window ? window.start + window.bytes : doneBytes;
  const segments: Segment[] = [];
  let at = 0;
  const add = (kind: SegmentKind, until: number): void => {
    const last = segments.at(-1);
    if (until <= at) return;
    if (last?.kind === kind) segments[segments.length - 1] = { ...last, bytes: until - last.start };
    else segments.push({ kind, start: at, bytes: until - at });
    at = until;
  };
  for (const { start, bytes } of joined(copying)) {
    add('both', start);
    add('copy', start + bytes);
  }
  add('both', end);
  add('remote', sizeBytes);
  return segments;
}

/** The largest region a mirror of so many bytes can have: a power of two. */
export function mirrorRegionBytes(bytes: number): number {
  let region = regionBytes;
  while (region > bytes) region /= 2;
  return region;
}

/** How far the disk has followed. */
export interface FollowProgress {
  readonly sizeBytes: number;
  readonly doneBytes: number;
  /** What differed and therefore travelled. */
  readonly copiedBytes: number;
  readonly startedMs: number;
  /** How much was done already when it was begun. */
  readonly startedBytes: number;
}

/** Milliseconds until it is done, at the rate so far; undefined as long as nothing can be said. */
export function forecastMs(progress: FollowProgress, nowMs: number): number | undefined {
  const { sizeBytes, doneBytes, startedMs, startedBytes } = progress;
  const [done, took] = [doneBytes - startedBytes, nowMs - startedMs];
  if (done <= 0 || took <= 0) return undefined;
  return Math.round(((sizeBytes - doneBytes) * took) / done);
}

/** After so much work it rests so long: the OS's own reading and writing comes first. */
export const restShare = 0.5;
export const restMs = (workedMs: number): number =>
  Math.min(5000, Math.round((workedMs * restShare) / (1 - restShare)));

/** Where a disk that follows stands. The words are in `followText`. */
export type FollowState =
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'copying'; readonly progress: FollowProgress }
  | {
      readonly kind: 'done';
      readonly copiedBytes: number;
      readonly sizeBytes: number;
      readonly isShared?: true;
    }
  | { readonly kind: 'givenUp'; readonly reason: string };

/** What may come after what; from anywhere it may begin anew, after a move or with another agent. */
const followSteps: Readonly<Record<FollowState['kind'], readonly FollowState['kind'][]>> = {
  waiting: ['waiting', 'copying', 'done', 'givenUp'],
  copying: ['copying', 'done', 'givenUp', 'waiting'],
  done: ['waiting'],
  givenUp: ['waiting'],
};

/** @throws Error naming both when the second cannot come after the first */
export function afterFollow(before: FollowState, next: FollowState): FollowState {
  if (!followSteps[before.kind].includes(next.kind))
    throw new Error(`a disk that is "${before.kind}" cannot become "${next.kind}"`);
  return next;
}

/** For `yado status` and `yado devices`. `computer`: to which it follows. */
export function followText(state: FollowState, computer: string, nowMs: number): string {
  switch (state.kind) {
    case 'waiting':
      return `waits to follow to ${computer}: ${state.reason}`;
    case 'copying': {
      const { sizeBytes, doneBytes, copiedBytes } = state.progress;
      const percent = Math.floor((doneBytes / sizeBytes) * 100);
      const left = forecastMs(state.progress, nowMs);
      const rest = left === undefined ? '' : `, ${formatMs(left)} left`;
      return `follows to ${computer}: ${percent} %, ${formatBytes(copiedBytes)} copied${rest}`;
    }
    case 'done':
      if (state.isShared) return `${computer} uses it by itself`;
      return `at ${computer}, verified; ${formatBytes(state.copiedBytes)} of ${formatBytes(state.sizeBytes)} were copied`;
    case 'givenUp':
      return `does not follow to ${computer}: ${state.reason}`;
  }
}

/** As the API tells it. Times in milliseconds. */
export const FollowReportSchema = v.object({
  computer: v.string(),
  kind: v.picklist(['waiting', 'copying', 'done', 'givenUp']),
  /** A sentence without its subject. */
  text: v.string(),
  sizeBytes: v.exactOptional(v.number()),
  doneBytes: v.exactOptional(v.number()),
  copiedBytes: v.exactOptional(v.number()),
  /** Nothing was copied: both computers reach the disk by themselves. */
  isShared: v.exactOptional(v.boolean()),
  leftMs: v.exactOptional(v.number()),
});
export type FollowReport = Readonly<v.InferOutput<typeof FollowReportSchema>>;

export function followReport(state: FollowState, computer: string, nowMs: number): FollowReport {
  const text = followText(state, computer, nowMs);
  const base = { computer, kind: state.kind, text };
  if (state.kind === 'done') {
    const { sizeBytes, copiedBytes, isShared } = state;
    return { ...base, sizeBytes, doneBytes: sizeBytes, copiedBytes, ...(isShared && { isShared }) };
  }
  if (state.kind !== 'copying') return base;
  const { sizeBytes, doneBytes, copiedBytes } = state.progress;
  const leftMs = forecastMs(state.progress, nowMs);
  return { ...base, sizeBytes, doneBytes, copiedBytes, ...(leftMs !== undefined && { leftMs }) };
}
