// A few pairs of the matrix (lab/matrix/pairs.ts): the OS is refused where it could not live, and moves from a disk that is found by
// threads of the kernel that stand still in a move. All pairs: npm run matrix.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startLab } from '#lab/lab.ts';
import { pairsNamed, scenarioOf } from '#lab/matrix/pairs.ts';
import { tryPair } from '#lab/matrix/try-pair.ts';
import { product } from '#lab/product.ts';
import { startWorkload } from '#lab/workload.ts';
import { evidenceFolder } from './stories.ts';

const evidence = evidenceFolder('hardware');
const say = (text: string): void => console.log(`# ${text}`);

for (const pair of pairsNamed(['cpu-lacks', 'ram-more-e1000e', 'usb']))
  test(`${pair.name}: ${pair.about}`, async () => {
    await using lab = await startLab({ ...product(), scenario: scenarioOf(pair), say });
    try {
      await startWorkload(lab.computer('a'), { memoryMiB: 40 });
      const tried = await tryPair(lab, pair, say);
      assert.equal(tried.result, pair.expected === 'moves' ? 'moved' : 'refused', tried.reason ?? '');
      say(`there ${JSON.stringify(tried.there)}, home ${JSON.stringify(tried.home)}`);
    } catch (error) {
      await lab.evidence(join(evidence, pair.name)).catch(() => {});
      throw error;
    }
  });
