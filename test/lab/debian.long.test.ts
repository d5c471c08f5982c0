// Other versions of Debian and of its kernel: the OS moves to B and home again with the proofs of the matrix, whatever the
// kernels are that take it in. B is started with a kernel as `yado standby build` puts it onto a medium there, or with that
// of the package; A becomes a standby with that of the package, once the OS has left.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startLab } from '#lab/lab.ts';
import type { Pair } from '#lab/matrix/pairs.ts';
import { bootIdOf, tryPair } from '#lab/matrix/try-pair.ts';
import { type DebianVersion, stockDebian } from '#lab/os-recipe.ts';
import { standbyOf } from '#lab/own-standby.ts';
import { product } from '#lab/product.ts';
import { scenarioNamed } from '#lab/scenarios.ts';
import { startWorkload } from '#lab/workload.ts';
import { evidenceFolder } from './stories.ts';

const trixie: DebianVersion = { release: 'trixie', kernel: 'stock' };
const backports: DebianVersion = { release: 'bookworm', kernel: 'backports' };

const stories: readonly {
  readonly name: string;
  readonly about: string;
  readonly os: DebianVersion;
  /** Whose kernel B is started with; none: that of the package. */
  readonly standby?: DebianVersion;
}[] = [
  { name: 'debian-13', about: 'Debian 13, to a B with its kernel', os: trixie, standby: trixie },
  {
    name: 'backports',
    about: 'Debian 12 with the kernel of its backports, to an older kernel',
    os: backports,
  },
  { name: 'newer-standby', about: 'Debian 12, to the kernel of Debian 13', os: stockDebian, standby: trixie },
  {
    name: 'backports-both',
    about: 'Debian 12 with the kernel of its backports, to the same',
    os: backports,
    standby: backports,
  },
];

const evidence = evidenceFolder('debian');
const say = (text: string): void => console.log(`# ${text}`);
const [specA, specB] = scenarioNamed('paper').computers;
assert.ok(specA && specB);

for (const { name, about, os, standby } of stories)
  test(`${name}: ${about}`, async () => {
    const made = product(say);
    const pair: Pair = { name, about, a: specA, b: specB, expected: 'moves' };
    await using lab = await startLab({
      ...made,
      ...(standby && { standby: await standbyOf(standby, made, say) }),
      debian: os,
      say,
    });
    const [a, b] = [lab.computer('a'), lab.computer('b')];
    try {
      await startWorkload(a, { memoryMiB: 20 });
      const [osKernel, standbyKernel] = [await a.shell('uname -r'), await b.shell('uname -r')];
      say(`the OS has ${osKernel.trim()}, B ${standbyKernel.trim()}`);
      assert.equal(osKernel === standbyKernel, os === standby);
      const bootId = await bootIdOf(a);
      const tried = await tryPair(lab, pair, say);
      assert.equal(tried.result, 'moved', tried.reason ?? '');
      say(
        `there ${JSON.stringify(tried.there)}, home ${JSON.stringify(tried.home)}, notes ${tried.notes.join(' ')}`,
      );
      assert.equal(tried.notes.includes('kernel-version'), os !== standby);
      assert.equal(await bootIdOf(a), bootId);
      assert.equal(await a.shell('uname -r'), osKernel);
      await a.shell('systemctl stop lab-hashchain; sync', { timeoutMs: 60_000 });
      await a.kill();
      const disk = await a.checkDisk();
      assert.ok(disk.clean, disk.report);
    } catch (error) {
      await lab.evidence(join(evidence, name)).catch(() => {});
      throw error;
    }
  });
