// What the commands need of the world around them: two outputs, a question, Ctrl-C. Given as a value, so that tests can
// give another one. Never decides what to print.

import { createInterface } from 'node:readline/promises';

export interface Terminal {
  /** Writes text as it is. */
  out(text: string): void;
  error(text: string): void;
  /** True when `out` is a screen that a line can be redrawn on. */
  readonly isScreen: boolean;
  /** Width of the screen in characters. */
  columns(): number;
  /** Asks on the screen; undefined when nobody can answer (no terminal), on Ctrl-C, and when `signal` aborts. */
  ask(question: string, signal: AbortSignal): Promise<string | undefined>;
  /** Calls `handler` on Ctrl-C instead of ending, until disposed. */
  onInterrupt(handler: () => void): Disposable;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: text => void process.stdout.write(text),
    error: text => void process.stderr.write(text),
    isScreen: process.stdout.isTTY === true,
    columns: () => process.stdout.columns ?? 80,
    ask,
    onInterrupt(handler) {
      process.on('SIGINT', handler);
      return { [Symbol.dispose]: () => void process.off('SIGINT', handler) };
    },
  };
}

async function ask(question: string, signal: AbortSignal): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const giveUp = new AbortController();
  // readline takes Ctrl-C and Ctrl-D for itself while it asks.
  lines.on('SIGINT', () => giveUp.abort());
  lines.on('close', () => giveUp.abort());
  try {
    return (await lines.question(question, { signal: AbortSignal.any([giveUp.signal, signal]) })).trim();
  } catch {
    return undefined;
  } finally {
    lines.close();
  }
}
