// `yado lab matrix [PAIR…]`: tries pairs one after the other, and goes on after one that failed. Writes
// lab/out/matrix/results.json and matrix.md after each, so that a run that was broken off is worth something; results of
// pairs that were not tried this time stay.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Lab, startLab } from '../lab.ts';
import { errorText } from '../lab-error.ts';
import { repositoryDir } from '../paths.ts';
import { product } from '../product.ts';
import { startWorkload } from '../workload.ts';
import { groupsOf, type Pair, pairs, scenarioOf } from './pairs.ts';
import { describePair, markdown, type PairResult } from './report.ts';
import { type Tried, tryPair } from './try-pair.ts';

const folder = join(repositoryDir, 'lab/out/matrix');
const resultsFile = join(folder, 'results.json');

function keep(result: PairResult): void {
  const before = existsSync(resultsFile)
    ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as PairResult[])
    : [];
  const all = [...before.filter(each => each.pair !== result.pair), result];
  const order = pairs.map(each => each.name);
  all.sort((one, other) => order.indexOf(one.pair) - order.indexOf(other.pair));
  writeFileSync(resultsFile, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(join(folder, 'matrix.md'), markdown(all));
}

function resultOf(pair: Pair, tried: Tried, startedAt: number): PairResult {
  const { expected } = pair;
  const isRight =
    expected === 'moves'
      ? tried.result === 'moved'
      : tried.result === 'refused' &&
        (tried.reason ?? '').split(':')[0]?.split(', ').includes(expected.refusedBy) === true;
  return {
    ...describePair(pair),
    ...tried,
    isRight,
    seconds: Math.round((performance.now() - startedAt) / 1000),
  };
}

/** The disk of A after its power was cut: whatever was acknowledged is there, and the file system is whole. */
async function wholeDisk(lab: Lab): Promise<string | undefined> {
  const a = lab.computer('a');
  await a.shell('systemctl stop lab-hashchain lab-ticker lab-memcheck lab-cpuloop; sync', {
    timeoutMs: 60_000,
  });
  await a.kill();
  const disk = await a.checkDisk();
  return disk.clean ? undefined : `the file system of A is not whole: ${disk.report.slice(-400)}`;
}

/** One after the other on the same A, as long as the OS comes home. Gives those that are still to be tried. */
async function tryGroup(group: readonly Pair[], say: (text: string) => void): Promise<readonly Pair[]> {
  const first = group[0]!;
  let startedAt = performance.now();
  let lab: Lab;
  const failed = (pair: Pair, error: unknown): PairResult =>
    resultOf(pair, { result: 'failed', reason: errorText(error), notes: [] }, startedAt);
  const told = (result: PairResult): void => {
    keep(result);
    say(
      `${result.pair}: ${result.result}${result.isRight ? '' : `, EXPECTED: ${result.expected}`} ${result.reason ?? ''}`,
    );
  };
  try {
    lab = await startLab({ ...product(say), scenario: scenarioOf(first), id: 'matrix', say });
  } catch (error) {
    told(failed(first, error));
    return group.slice(1);
  }
  let last: PairResult | undefined;
  try {
    await startWorkload(lab.computer('a'), { memoryMiB: 40 });
    for (const [index, pair] of group.entries()) {
      say(`${pair.name}: ${pair.about}`);
      try {
        if (index > 0) {
          startedAt = performance.now();
          await (await lab.exchange(pair.b)).boot();
        }
        last = resultOf(pair, await tryPair(lab, pair, say), startedAt);
        told(last);
      } catch (error) {
        told(failed(pair, error));
        await lab.evidence(join(folder, pair.name)).catch(() => {});
        return group.slice(index + 1);
      }
    }
    const broken = await wholeDisk(lab);
    if (broken !== undefined && last) told({ ...last, result: 'failed', isRight: false, reason: broken });
    return [];
  } finally {
    await lab.down();
  }
}

/** @returns whether every pair came to what was expected */
export async function runMatrix(chosen: readonly Pair[], say: (text: string) => void): Promise<boolean> {
  mkdirSync(folder, { recursive: true });
  for (const group of groupsOf(chosen)) {
    let rest: readonly Pair[] = group;
    while (rest.length > 0) rest = await tryGroup(rest, say);
  }
  const results = JSON.parse(readFileSync(resultsFile, 'utf8')) as PairResult[];
  const mine = results.filter(each => chosen.some(pair => pair.name === each.pair));
  say(`\n${markdown(mine)}\nAll results: ${join(folder, 'matrix.md')}`);
  return mine.length === chosen.length && mine.every(each => each.isRight);
}
