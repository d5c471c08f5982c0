// Waiting for a condition, with a deadline that says what was waited for. The only timers the managers have.
import { setTimeout as sleep } from 'node:timers/promises';

interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs: number;
  readonly signal?: AbortSignal;
}

/** The first value of `probe` that is not undefined. @throws Error naming `what` after `timeoutMs` */
export async function waitUntil<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  { timeoutMs, everyMs, signal }: WaitOptions,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() >= end)
      throw new Error(`${what} did not appear within ${Math.round(timeoutMs / 1000)} s`);
    await sleep(everyMs, undefined, signal ? { signal } : {});
  }
}
