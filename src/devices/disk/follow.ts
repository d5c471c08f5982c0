// The disk follows the OS to a disk of the computer it is on, window by window: compared, copied where it differs, compared
// again. Decides the order of things; what is beneath the stub, and what is on the disks, is the world's. As long as this
// is under way the old disk has everything: whoever gives up puts it alone beneath the stub again, and nothing is lost.
import {
  differing,
  type Extent,
  type FollowProgress,
  joined,
  nextWindow,
  regionsOf,
  restMs,
  type Segment,
  segmentsOf,
} from '#core/disk-follow.ts';

/** What the kernel's mirrors say of themselves. */
export interface MirrorsState {
  /** All that is to be copied has been. */
  readonly isCopied: boolean;
  /** The disk that has refused something: the new one, or the old one. */
  readonly failed?: 'here' | 'there' | undefined;
}

/** The old disk is there, the new one here. Whatever waits ends when the disk is to follow no more. */
export interface FollowWorld {
  readonly sizeBytes: number;
  /** Hashes of the regions of an extent, as they are on the disk. */
  readonly hashesThere: (extent: Extent) => Promise<readonly string[]>;
  readonly hashesHere: (extent: Extent) => Promise<readonly string[]>;
  /**
   * Grows with every request that has changed this part of the old disk and has ended since it was first asked for; undefined when
   * nobody counts them. Asked for another part it may begin anew.
   */
  readonly writes: (extent: Extent) => number | undefined;
  /**
   * Puts this beneath the stub. While nothing passes the stub, and nothing is under way beneath it, `isTrue` is asked; when
   * it is not, all stays as it was. Gives its answer.
   */
  readonly exchange: (segments: readonly Segment[], isTrue?: () => Promise<boolean>) => Promise<boolean>;
  readonly mirrors: () => MirrorsState;
  readonly pause: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
  readonly told: (progress: FollowProgress) => void;
}

/** Of a comparison during which nothing may be written; a window that is never left alone is copied as a whole. */
const calmAttempts = 3;
/** Something that is being written can look different once, and once more. */
const looks = 3;
/** What still differs when it was copied so often will not become equal. */
const mostRounds = 3;
const pollMs = 100;

/** The disk that failed while it followed. */
export class DiskFailed extends Error {
  readonly where: 'here' | 'there';

  constructor(where: 'here' | 'there') {
    super(`the disk ${where} refused to be read or written`);
    this.where = where;
  }
}

/** A copy does not become what it was made from. */
export class DiskDiffers extends Error {
  readonly extent: Extent;

  constructor(extent: Extent) {
    super(`what was written at byte ${extent.start} cannot be read back`);
    this.extent = extent;
  }
}

/**
 * Returns when both disks are equal and every write goes to both.
 * @throws DiskFailed, DiskDiffers, or what the world throws
 */
export async function follow(world: FollowWorld): Promise<void> {
  const { sizeBytes } = world;
  const began = { sizeBytes, startedMs: world.nowMs(), startedBytes: 0 };
  let [doneBytes, copiedBytes] = [0, 0];
  for (;;) {
    world.told({ ...began, doneBytes, copiedBytes });
    const window = nextWindow(sizeBytes, doneBytes);
    if (!window) return;
    const workBegan = world.nowMs();
    copiedBytes += await followWindow(world, doneBytes, window);
    doneBytes += window.bytes;
    await world.pause(restMs(world.nowMs() - workBegan));
  }
}

/** The window is equal and mirrored when this returns. Gives how much was copied. */
async function followWindow(world: FollowWorld, doneBytes: number, window: Extent): Promise<number> {
  let copiedBytes = 0;
  let copying = await firstLook(world, doneBytes, window);
  for (let round = 1; ; round++) {
    const [first] = copying;
    if (!first) return copiedBytes;
    if (round > mostRounds) throw new DiskDiffers(first);
    for (const each of copying) copiedBytes += each.bytes;
    await untilCopied(world);
    copying = await lookAgain(world, doneBytes, window);
    if (copying.length > 0) await world.exchange(segmentsOf(world.sizeBytes, doneBytes, window, copying));
  }
}

/**
 * Puts a window beneath the stub of which nothing is mirrored yet, and gives the regions that are being copied. One counts
 * as equal only when it was, and nothing was written since: copying one that is equal does no harm.
 */
async function firstLook(world: FollowWorld, doneBytes: number, window: Extent): Promise<readonly Extent[]> {
  for (let attempt = 1; attempt <= calmAttempts; attempt++) {
    const before = world.writes(window);
    if (before === undefined) break;
    const copying = await compare(world, window);
    const isTrue = async (): Promise<boolean> => world.writes(window) === before;
    const segments = segmentsOf(world.sizeBytes, doneBytes, window, copying);
    if (await world.exchange(segments, isTrue)) return copying;
  }
  const all = regionsOf(window);
  await world.exchange(segmentsOf(world.sizeBytes, doneBytes, window, all));
  return all;
}

/**
 * Compares a window that is mirrored: two regions that were equal once stay so, whenever each was read. Those that go on to
 * look different are looked at while nothing is written. None: the whole window counts as equal from now on.
 */
async function lookAgain(world: FollowWorld, doneBytes: number, window: Extent): Promise<readonly Extent[]> {
  let suspects: readonly Extent[] = [window];
  for (let look = 1; look <= looks && suspects.length > 0; look++)
    suspects = await compareAll(world, suspects);
  let differs = suspects;
  await world.exchange(segmentsOf(world.sizeBytes, doneBytes, window), async () => {
    differs = await compareAll(world, suspects);
    return differs.length === 0;
  });
  return differs;
}

async function compareAll(world: FollowWorld, extents: readonly Extent[]): Promise<Extent[]> {
  const found: Extent[] = [];
  for (const each of joined(extents)) found.push(...(await compare(world, each)));
  return found;
}

async function compare(world: FollowWorld, extent: Extent): Promise<readonly Extent[]> {
  const [there, here] = await Promise.all([world.hashesThere(extent), world.hashesHere(extent)]);
  const { failed } = world.mirrors();
  if (failed) throw new DiskFailed(failed);
  return differing(extent, there, here);
}

async function untilCopied(world: FollowWorld): Promise<void> {
  for (;;) {
    const { isCopied, failed } = world.mirrors();
    if (failed) throw new DiskFailed(failed);
    if (isCopied) return;
    await world.pause(pollMs);
  }
}
