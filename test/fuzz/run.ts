// Runs one fuzzer for a time. Input number n has the seed `seed` + n: with that seed and one run it is tried alone again.
import { Random } from './random.ts';
import type { Session, Target } from './target.ts';

export interface Limits {
  readonly seed: number;
  readonly seconds: number;
  readonly runs?: number;
}

export interface Failure {
  readonly seed: number;
  /** More than one when it takes several, one after the other. */
  readonly inputs: readonly Buffer[];
  readonly error: unknown;
}

export interface Outcome {
  readonly runs: number;
  readonly seconds: number;
  readonly failure?: Failure;
}

/** What this process may grow by while a fuzzer runs. */
const mostBytes = 768 << 20;
const defaultCpuSeconds = 6;

export async function run(
  target: Target,
  { seed, seconds, runs = Number.POSITIVE_INFINITY }: Limits,
): Promise<Outcome> {
  const stray: unknown[] = [];
  const caught = (error: unknown): void => void stray.push(error);
  process.on('unhandledRejection', caught).on('uncaughtException', caught);
  const heldBytes = process.memoryUsage.rss();
  try {
    await using session = await target.open();
    const began = performance.now();
    const passed = () => (performance.now() - began) / 1000;
    let done = 0;
    while (done < runs && (done === 0 || passed() < seconds)) {
      const count = Math.min(target.batch, runs - done);
      const seeds = Array.from({ length: count }, (_, index) => (seed + done + index) >>> 0);
      const inputs = seeds.map(each => target.make(new Random(each)));
      const error = await attempt(target, session, inputs, stray, heldBytes);
      if (error !== undefined) {
        const failure = await narrowed(target, { seed: seeds[0] ?? seed, inputs, error }, stray);
        return { runs: done + count, seconds: passed(), failure };
      }
      done += count;
    }
    return { runs: done, seconds: passed() };
  } finally {
    process.off('unhandledRejection', caught).off('uncaughtException', caught);
  }
}

/** What went wrong, undefined when nothing did. */
async function attempt(
  target: Target,
  session: Session,
  inputs: readonly Buffer[],
  stray: unknown[],
  heldBytes: number,
): Promise<unknown> {
  const before = process.cpuUsage();
  try {
    await session.attempt(inputs);
  } catch (error) {
    return error ?? new Error('undefined was thrown');
  }
  await new Promise(resolve => setImmediate(resolve)); // now stray rejections are known
  if (stray.length > 0) return stray.shift();
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1e6;
  if (cpuSeconds > (target.cpuSeconds ?? defaultCpuSeconds))
    return new Error(`it took ${cpuSeconds} s of the processor`);
  const grown = process.memoryUsage.rss() - heldBytes;
  if (grown > mostBytes) return new Error(`the process has grown by ${grown} bytes`);
  return undefined;
}

/** The one input of a batch that fails alone, in a session of its own; the whole batch when none does. */
async function narrowed(target: Target, failure: Failure, stray: unknown[]): Promise<Failure> {
  if (failure.inputs.length === 1) return failure;
  for (const [index, input] of failure.inputs.entries()) {
    await using session = await target.open();
    const error = await attempt(target, session, [input], stray, process.memoryUsage.rss());
    if (error !== undefined) return { seed: (failure.seed + index) >>> 0, inputs: [input], error };
  }
  return failure;
}

const shownBytes = 2048;

/** The beginning is enough for a person: the seed gives the whole. */
const shown = (input: Buffer): string =>
  `${input.toString('hex', 0, shownBytes)}${input.length > shownBytes ? '…' : ''}`;

/** For a person: what went wrong, with which input, and how to try just that again. */
export function failureText(target: Target, { seed, inputs, error }: Failure): string {
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [
    `${target.name} failed: ${told}`,
    `again: npm run fuzz -- ${target.name} --seed ${seed} --runs ${inputs.length}`,
    ...inputs.map(input => `input, ${input.length} bytes: ${shown(input)}`),
  ].join('\n');
}
