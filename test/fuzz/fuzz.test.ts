// Every fuzzer for a second: half of it with inputs that stay the same from run to run, half with new ones. A failure says
// how to try just its input again.
import { mock, test } from 'node:test';
import { failureText, run } from './run.ts';
import { targets } from './targets.ts';

const fixedSeed = 1;
const freshSeed = (Math.random() * 2 ** 32) >>> 0;

for (const target of targets) {
  test(`bad input: ${target.name}, seeds ${fixedSeed} and ${freshSeed}`, async () => {
    mock.method(console, 'log', () => {});
    for (const seed of [fixedSeed, freshSeed]) {
      const { failure } = await run(target, { seed, seconds: 0.5 });
      if (failure) throw new Error(failureText(target, failure));
    }
  });
}
