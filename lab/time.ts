// Waiting in the lab: every wait has a deadline, scaled by one factor for slower or faster machines.
// Never waits without a time-out and always says what it waited for.

import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from './lab-error.ts';

const scale = Number(process.env.YADO_TIME_SCALE ?? '1') || 1;

/** A time-out in ms, tuned for software emulation on two cores, times `YADO_TIME_SCALE`. */
export function scaled(timeoutMs: number): number {
  return Math.round(timeoutMs * scale);
}

/**
 * Asks `probe` every `everyMs` until it gives a value other than undefined.
 * @throws LabError naming `what` when `timeoutMs` (already scaled by the caller) has passed.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  options: { timeoutMs: number; everyMs?: number; signal?: AbortSignal },
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() >= deadline) {
      throw new LabError(`waited ${options.timeoutMs} ms for ${what}`, 'YADO_TIME_SCALE=2 gives more time');
    }
    await delay(options.everyMs ?? 200, undefined, options.signal ? { signal: options.signal } : {});
  }
}
