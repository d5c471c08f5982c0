// What the kernel does for a disk that follows: the table of the stub, the mirrors in it, and what is on the new disk.
import { setTimeout as sleep } from 'node:timers/promises';
import { type FollowProgress, regionsOf } from '#core/disk-follow.ts';
import { describe, nodePath } from '#linux/block.ts';
import type { DmWriteCounter } from '#linux/dm-write-count.ts';
import { hashParts } from '#linux/region-hashes.ts';
import { DiskFailed, type FollowWorld } from './follow.ts';
import { markBytes } from './left-mark.ts';
import { type Beneath, exchange, mirrorsState, tableOf } from './stub.ts';

/**
 * The stub holds everything back while it is asked whether regions are equal. A thread that is needed for that may itself be
 * waiting for the stub, and the other computer may be away: then the answer is no, and it is asked again later.
 */
const mostHeldMs = 20_000;

export interface FollowParts {
  readonly sizeBytes: number;
  /** The old disk, and the new one, which may be larger. */
  readonly remote: Beneath;
  readonly local: Beneath;
  readonly hashesThere: FollowWorld['hashesThere'];
  /** Of the stub: what passes it changes the old disk. */
  readonly counter: DmWriteCounter;
  readonly told: (progress: FollowProgress) => void;
  /** Aborted: what waits ends with its reason. What lies beneath the stub then is for the caller to put right. */
  readonly signal: AbortSignal;
  /** Name of the stub. */
  readonly stub: string;
}

export function followWorld(parts: FollowParts): FollowWorld {
  const { sizeBytes, remote, local, signal, stub } = parts;
  const localPath = nodePath(describe(local).name);
  return {
    sizeBytes,
    hashesThere: parts.hashesThere,
    hashesHere: async extent => {
      const hashes = await hashParts(localPath, regionsOf(extent), 'disk', { blankBytes: markBytes, signal });
      return hashes.map(each => each.toString('hex'));
    },
    writes: ({ start, bytes }) => parts.counter.count(start, bytes),
    exchange: async (segments, isTrue) => {
      signal.throwIfAborted();
      const inTime = isTrue && (() => Promise.race([isTrue(), sleep(mostHeldMs, false, { ref: false })]));
      return exchange(tableOf(segments, remote, local), inTime, stub);
    },
    mirrors: () => mirrorsState(stub),
    pause: async ms => {
      await sleep(ms, undefined, { signal });
      const { failed } = mirrorsState(stub);
      if (failed) throw new DiskFailed(failed);
    },
    nowMs: () => performance.now(),
    told: parts.told,
  };
}
