// A few pairs of the matrix (lab/matrix/pairs.ts) with one A: the OS is refused where it could not live, and moves where it can.
// All pairs: npm run matrix.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startLab } from '#lab/lab.ts';
import { groupsOf, pairsNamed, scenarioOf } from '#lab/matrix/pairs.ts';
import { tryPair } from '#lab/matrix/try-pair.ts';
import { product } from '#lab/product.ts';
import { startWorkload } from '#lab/workload.ts';
import { bootIdOf, evidenceFolder, storiesOf } from './stories.ts';

const [pairs = [], ...others] = groupsOf(pairsNamed(['ram-more-e1000e', 'cpu-lacks', 'nic-rtl8139']));
assert.equal(others.length, 0, 'A is booted once for all of them');
const say = (text: string): void => console.log(`# ${text}`);
const lab = await startLab({ ...product(), scenario: scenarioOf(pairs[0]!), say });
after(() => lab.down());
const a = lab.computer('a');
await startWorkload(a, { memoryMiB: 40 });
const bootId = await bootIdOf(a);
const story = storiesOf(
  () => lab,
  evidenceFolder('hardware'),
  async () => (await bootIdOf(a)) === bootId,
);

for (const [index, pair] of pairs.entries())
  story(`${pair.name}: ${pair.about}`, async () => {
    if (index > 0) await (await lab.exchange(pair.b)).boot();
    const { result, reason, there, home } = await tryPair(lab, pair, say);
    if (pair.expected === 'moves') assert.equal(result, 'moved', reason ?? '');
    else {
      assert.equal(result, 'refused');
      assert.ok(reason?.split(':')[0]?.split(', ').includes(pair.expected.refusedBy), reason ?? '');
    }
    if (there && home) say(`there ${JSON.stringify(there)}, home ${JSON.stringify(home)}`);
  });
