// The pre-copy as the source's agent sees it: hears the helper's rounds, lets the policy of core decide, says so. The OS
// runs all the while. What cannot be copied ahead is sent after the freeze: nothing here makes a move fail.
import { getSystemErrorMap } from 'node:util';
import type { RamRange } from '#core/capabilities.ts';
import { type DowntimeWish, decide, preCopyLimits, type Round, roundTotal } from '#core/precopy.ts';
import { type MemoryPiece, readMemoryPieces } from '#linux/kcore.ts';
import { PAGE_BYTES } from '#linux/memory-map.ts';
import type { PreCopyRound } from '#wire/pre-copy.ts';

/** What is shown while the memory is copied. */
export interface PreCopyProgress {
  readonly round: number;
  /** Of this round. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Why nothing is copied ahead. */
  readonly without?: string;
  /** How long the OS would stand still now, which is too long, ms. */
  readonly waitsAtMs?: number;
}

export interface RoundsOptions {
  /** Memory in use at the source, and what the target holds of it before the image, bytes. */
  readonly usedBytes: number;
  readonly parkBytes: number;
  readonly wish?: DowntimeWish | undefined;
  readonly told: (progress: PreCopyProgress) => void;
  readonly again: () => void;
  readonly log: (line: string) => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  /** Calls `work` in so many milliseconds. */
  readonly later: (ms: number, work: () => void) => void;
}

/** The OS would stand still for longer than was wished. Milliseconds. */
export class StandsTooLong extends Error {
  readonly downtimeMs: number;
  constructor(downtimeMs: number, why: string) {
    super(why);
    this.downtimeMs = downtimeMs;
  }
}

export interface Rounds {
  readonly listener: (round: PreCopyRound) => void;
  /** Resolves when the policy says that the OS is to be frozen; rejects with `StandsTooLong` when it gives up. */
  readonly enough: Promise<void>;
}

/** Decides after every round. `why`: why there are none. */
export function rounds(options: RoundsOptions, why?: string): Rounds {
  const { promise: enough, resolve, reject } = Promise.withResolvers<void>();
  const { told, again, log, now, later, wish } = options;
  const over: Round[] = [];
  /** Of those `over`, since the last pause. */
  let attempt: Round[] = [];
  /** On the wire, up to the round under way. */
  let before = 0;
  let waitingSince: number | undefined;
  const startedAt = now();
  let began = startedAt;
  const listener = (heard: PreCopyRound) => {
    const { round, state, error, pagesSent, pagesRecalled, roomPages, framesDone, framesTotal, wireBytes } =
      heard;
    if (round === 0 && state === 'underWay') {
      began = now();
      before = heard.wireBytes;
      return told({ round, bytesDone: 0, bytesTotal: options.usedBytes });
    }
    const bytes = pagesSent * PAGE_BYTES;
    const share = framesTotal > 0 ? framesDone / framesTotal : 0;
    const recalled = pagesRecalled * PAGE_BYTES;
    if (state === 'impossible') {
      const without = why ?? errorText(error);
      told({ round, bytesDone: bytes, bytesTotal: bytes, without });
      log(over.length > 0 ? `copying ahead ended: ${without}` : `nothing is copied ahead: ${without}`);
      return resolve();
    }
    if (state === 'underWay') {
      const used = Math.max(0, options.usedBytes - recalled);
      const bytesTotal = roundTotal({ round, bytes, share }, used);
      return told({ round, bytesDone: bytes, bytesTotal });
    }
    told({ round, bytesDone: bytes, bytesTotal: bytes });
    if (over.length === 0 && recalled > 0)
      log(`the target has ${mega(recalled)} MB of it already, found in ${seconds(began - startedAt)} s`);
    const durationMs = now() - began;
    over.push({ bytes, durationMs });
    attempt.push({ bytes, durationMs });
    const full = roomPages === 0;
    const leftOutBytes = full ? Math.max(0, options.usedBytes - options.parkBytes) : 0;
    const waitedMs = waitingSince === undefined ? 0 : now() - waitingSince;
    const {
      step,
      why: because,
      downtimeMs,
    } = decide({ rounds: attempt, full, leftOutBytes, waitedMs, wish });
    const onWire = wireBytes - before;
    const wire = onWire < bytes * 0.9 ? `, packed ${mega(onWire)} MB,` : '';
    const still = downtimeMs === undefined ? '' : `, a standstill of about ${seconds(downtimeMs)} s`;
    log(`round ${round}: ${mega(bytes)} MB${wire} in ${seconds(durationMs)} s; ${step}: ${because}${still}`);
    before = wireBytes;
    const next = (): void => {
      began = now();
      again();
    };
    if (step === 'again') next();
    else if (step === 'freeze') resolve();
    else if (step === 'giveUp') reject(new StandsTooLong(downtimeMs ?? 0, because));
    else {
      waitingSince ??= now();
      attempt = [];
      told({ round, bytesDone: bytes, bytesTotal: bytes, waitsAtMs: downtimeMs ?? 0 });
      later(preCopyLimits.pauseMs, next);
    }
  };
  return { listener, enough };
}

/** Where the memory can be read, or why it cannot. `parkBytes`: what the target holds. */
export function memoryToCopy(
  ram: readonly RamRange[],
  parkBytes: number,
  wanted: boolean,
): { readonly memory: readonly MemoryPiece[]; readonly why?: string } {
  if (!wanted) return { memory: [], why: 'so it was asked for' };
  if (parkBytes < PAGE_BYTES) return { memory: [], why: 'the target has no memory to spare' };
  try {
    const memory = readMemoryPieces(ram);
    return memory.length > 0 ? { memory } : { memory, why: '/proc/kcore has no RAM' };
  } catch (error) {
    return { memory: [], why: error instanceof Error ? error.message : String(error) };
  }
}

function errorText(error: number): string {
  const known = getSystemErrorMap().get(-error);
  return `memory cannot be read (${known?.[1] ?? `errno ${error}`})`;
}

const mega = (bytes: number): string => (bytes / 1e6).toFixed(0);
const seconds = (ms: number): string => (ms / 1000).toFixed(1);
