// Makes room for the image while the OS still runs: has the kernel swap out what nobody uses just now, piece by piece. What
// programs take back at once is left to the frozen helper, which asks once more when they stand still.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMeminfo } from '#linux/meminfo.ts';
import { reclaimPath } from '#linux/swap-room.ts';

const pieceBytes = 32 * 2 ** 20;
/** Less than this is no progress. */
const leastBytes = 2 ** 20;
const patienceMs = 10_000;
/** Pages that are being written are not free yet. */
const writingMs = 50;

/** What is asked of the kernel, so that a test can stand in. */
export interface Reclaiming {
  /** Bytes in use, caches counted. */
  readonly inUse: () => number;
  /** False when it gave less than it was asked for. */
  readonly reclaim: (bytes: number) => Promise<boolean>;
  readonly now: () => number;
  readonly writingMs: number;
}

const realReclaiming: Reclaiming = {
  inUse: () => {
    const { total, free } = readMeminfo();
    return total - free;
  },
  reclaim,
  now: () => performance.now(),
  writingMs,
};

async function reclaim(bytes: number): Promise<boolean> {
  const file = await open(reclaimPath, constants.O_WRONLY);
  try {
    await file.write(String(bytes));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return false;
    throw error;
  } finally {
    await file.close();
  }
}

/**
 * Until at most `mostBytes` are in use, or there has been no less for some seconds: gives what is still in use. `told`
 * hears how many bytes are done and are to be done.
 * @throws the reason of the signal
 */
export async function swapOut(
  mostBytes: number,
  signal: AbortSignal,
  told: (done: number, total: number) => void = () => {},
  by: Partial<Reclaiming> = {},
): Promise<number> {
  const { inUse, reclaim: ask, now, writingMs: pauseMs } = { ...realReclaiming, ...by };
  const first = inUse();
  let least = first;
  let end = now() + patienceMs;
  for (let used = first; ; used = inUse()) {
    if (used < least - leastBytes) {
      least = used;
      end = now() + patienceMs;
    }
    told(Math.max(0, first - used), Math.max(0, first - mostBytes));
    if (used <= mostBytes || now() > end) return used;
    signal.throwIfAborted();
    if (!(await ask(Math.min(pieceBytes, used - mostBytes)))) await sleep(pauseMs);
  }
}
