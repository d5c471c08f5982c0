// What a helper says at the end of a job: struct report of native/frozen/frozen.h. Pure.
import {
  maxTextBytes,
  outcomes,
  type ReasonName,
  reasons,
  type TimedStep,
  timedSteps,
} from '#wire/frames.ts';
import { WireError } from '#wire/wire-error.ts';

export type OutcomeName = keyof typeof outcomes;

export interface HelperReport {
  readonly outcome: OutcomeName;
  readonly reason: ReasonName;
  /** errno, 0 when none. */
  readonly error: number;
  /** Index of the step of the plan that failed, -1 when no plan did. */
  readonly operation: number;
  /** Microseconds. */
  readonly timesUs: Readonly<Record<TimedStep, number>>;
  readonly pages: number;
  readonly zeroPages: number;
  /** All bytes of the move, those from before the freeze too. */
  readonly wireBytes: number;
  /** Pages of the image that the target had already. */
  readonly referencedPages: number;
  readonly preCopyBytes: number;
  readonly rounds: number;
  /** Pages that the target has found in its own memory, so that they were not sent. */
  readonly recalledPages: number;
  readonly text: string;
}

/** `arg` is the argument of the result frame. @throws WireError */
export function decodeReport(arg: bigint, payload: Buffer): HelperReport {
  const timesAt = 16;
  const countsAt = timesAt + 8 * timedSteps.length;
  const textAt = countsAt + 56;
  if (payload.length !== textAt + maxTextBytes) throw new WireError('badReport', `${payload.length} bytes`);
  const u64 = (offset: number): number => Number(payload.readBigUInt64LE(offset));
  const text = payload.subarray(textAt);
  return {
    outcome: nameOf(outcomes, Number(arg)),
    reason: nameOf(reasons, payload.readUInt32LE(0)),
    error: payload.readUInt32LE(4),
    operation: payload.readInt32LE(8),
    timesUs: Object.fromEntries(timedSteps.map((step, index) => [step, u64(timesAt + 8 * index)])) as Record<
      TimedStep,
      number
    >,
    pages: u64(countsAt),
    zeroPages: u64(countsAt + 8),
    wireBytes: u64(countsAt + 16),
    referencedPages: u64(countsAt + 24),
    preCopyBytes: u64(countsAt + 32),
    rounds: u64(countsAt + 40),
    recalledPages: u64(countsAt + 48),
    text: printable(text.subarray(0, Math.max(0, text.indexOf(0))).toString('utf8')),
  };
}

/** The text may come from the other computer: it must not steer the terminal it is shown on. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}

function nameOf<Name extends string>(table: Readonly<Record<Name, number>>, number: number): Name {
  for (const name in table) if (table[name] === number) return name;
  throw new WireError('badReport', `number ${number}`);
}
