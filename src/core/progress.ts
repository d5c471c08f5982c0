// Progress of a move as people see it: phase, bytes, rate over a sliding window, time left. Immutable values; every
// time comes in as an argument (milliseconds of any clock that only goes forward). Never reads a clock.

import * as v from 'valibot';
import type { SourceState } from './migration-table.ts';

/** The phases of DESIGN section 5, in order, with the words shown while each lasts. */
export const phases = {
  preflight: 'checking',
  prepare: 'preparing',
  'pre-copy': 'copying ahead',
  freeze: 'freezing',
  send: 'sending',
  handover: 'handing over',
  claim: 'waiting for the claim',
  arrive: 'arriving',
  after: 'finishing',
  return: 'returning',
} as const;
export type Phase = keyof typeof phases;
export const phaseNames = Object.keys(phases) as Phase[];

const Count = v.pipe(v.number(), v.minValue(0));

export const ProgressSchema = v.object({
  /** Id of the migration. */
  id: v.string(),
  source: v.string(),
  target: v.string(),
  phase: v.picklist(phaseNames),
  /** Round of the pre-copy, while there is one. */
  round: v.optional(Count),
  /** What is to be known besides, in words. */
  note: v.optional(v.string()),
  bytesDone: Count,
  /** 0 while not known. */
  bytesTotal: Count,
  bytesPerSecond: Count,
  /** Milliseconds until this phase ends; null while it cannot be told. */
  etaMs: v.nullable(Count),
  /** Milliseconds since the move was asked for. */
  elapsedMs: Count,
});
export type Progress = Readonly<v.InferOutput<typeof ProgressSchema>>;

/** The phase that a state of the source belongs to; undefined when nothing moves. */
export function phaseOf(state: SourceState): Phase | undefined {
  switch (state) {
    case 'idle':
    case 'returned':
      return undefined;
    case 'preflight':
      return 'preflight';
    case 'preparing':
      return 'prepare';
    case 'preCopying':
      return 'pre-copy';
    case 'freezing':
    case 'leaving':
    case 'imaging':
      return 'freeze';
    case 'serving':
    case 'sending':
      return 'send';
    case 'awaitingReady':
      return 'handover';
    case 'awaitingClaim':
      return 'claim';
    case 'granted':
      return 'arrive';
    case 'returning':
      return 'return';
  }
}

interface Sample {
  readonly timeMs: number;
  readonly bytes: number;
}

/** A sliding window of (time, bytes done so far), oldest first. */
export interface RateMeter {
  readonly windowMs: number;
  readonly samples: readonly Sample[];
}

export function newRateMeter(windowMs = 3000): RateMeter {
  return { windowMs, samples: [] };
}

/**
 * The meter after `bytes` in all were done at `timeMs`. A byte count or a time that goes back starts the window anew:
 * another phase has begun.
 */
export function withSample(meter: RateMeter, timeMs: number, bytes: number): RateMeter {
  const last = meter.samples.at(-1);
  const sample = { timeMs, bytes };
  if (last && (timeMs < last.timeMs || bytes < last.bytes)) return { ...meter, samples: [sample] };
  const samples = [...meter.samples, sample];
  // One sample older than the window stays, so that a slow stream still has a rate.
  const firstInside = samples.findIndex(each => each.timeMs >= timeMs - meter.windowMs);
  return { ...meter, samples: samples.slice(Math.max(0, firstInside - 1)) };
}

/** Bytes per second over the window; 0 while it cannot be told. */
export function rateOf(meter: RateMeter): number {
  const first = meter.samples[0];
  const last = meter.samples.at(-1);
  if (!first || !last || last.timeMs <= first.timeMs) return 0;
  return ((last.bytes - first.bytes) * 1000) / (last.timeMs - first.timeMs);
}

/** Milliseconds left for the bytes that remain at the present rate; null while it cannot be told. */
export function etaMsOf(meter: RateMeter, bytesTotal: number): number | null {
  const rate = rateOf(meter);
  const done = meter.samples.at(-1)?.bytes ?? 0;
  if (bytesTotal <= 0) return null;
  if (done >= bytesTotal) return 0;
  return rate > 0 ? ((bytesTotal - done) * 1000) / rate : null;
}
