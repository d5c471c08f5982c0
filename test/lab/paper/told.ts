// The booted pair of the paper's story and what its parts share: the OS is at work at A, a third machine is connected to it.
import assert from 'node:assert/strict';
import { os } from '#lab/os-recipe.ts';
import { startWorkload, tickerPort } from '#lab/workload.ts';
import { bootStory } from '../boot-story.ts';
import { goesOnAt, worksOn } from '../stories.ts';

const { lab, a, b, bootId, evidence, story } = await bootStory('paper');
await startWorkload(a);
const connection = await lab.third.watchConnection(os.address, tickerPort);

export { a, b, bootId, connection, evidence, lab, story };

/** `yado migrate b` on A; gives its exit code and words. */
export const migrate = (options = ''): Promise<{ code: number; output: string }> =>
  a.exec(`yado migrate b ${options}`, { timeoutMs: 400_000 });

/** What must hold after every failure: the OS at A, its programs, its data, and one clear sentence. */
export async function goesOnAtA(result: { code: number; output: string }, sentence: RegExp): Promise<void> {
  const { returnMs } = await goesOnAt(a, bootId, result, sentence, () => worksOn(a));
  if (returnMs !== undefined) {
    console.log(`# back after ${Math.round(returnMs)} ms`);
    assert.ok(returnMs < 5000, 'the OS goes on within 5 s of the decision');
  }
}

/** The OS's clock as the third machine sees it: with it, what `work` does to it can be told. */
export async function keepsTime(work: () => Promise<void>): Promise<void> {
  const before = await lab.third.clock(os.address, tickerPort);
  await work();
  const after = await lab.third.clock(os.address, tickerPort);
  const error = Math.abs(after.offsetMs - before.offsetMs);
  const uncertainty = after.uncertaintyMs + before.uncertaintyMs;
  console.log(
    `# clock: ${error.toFixed(1)} ms off, measured to ± ${uncertainty.toFixed(1)} ms; off the host's ${before.offsetMs.toFixed(1)} before, ${after.offsetMs.toFixed(1)} after`,
  );
  assert.ok(error <= 50, 'wall time is right');
}
