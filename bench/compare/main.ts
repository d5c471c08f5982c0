// `npm run bench -- compare [METHOD[:WORKLOAD] …]`: moves under the same workloads, by Yadokari and by others. Each run is
// kept as JSON (result.ts); the table and the figures are made from all that is kept. `compare report` measures nothing.
import { errorText, LabError } from '#lab/lab-error.ts';
import { runCriu } from './criu.ts';
import { runHibernate } from './hibernate.ts';
import type { RunMethod } from './method.ts';
import { runQemu } from './qemu.ts';
import { report } from './report.ts';
import { keepResult, type Result } from './result.ts';
import { workloads } from './workloads.ts';
import { runVisits } from './yadokari.ts';

const common = ['idle', 'redis5', 'redis20', 'redis50', 'files'];
const growing = ['ram256', 'ram512', 'ram1024'];

/** Which workloads belong to which way of moving. */
const plan: Readonly<Record<string, readonly string[]>> = {
  yadokari: [...common, ...growing],
  'stop-and-copy': [...common, ...growing],
  criu: common,
  hibernate: ['idle', 'redis5'],
  qemu: common,
};

const others: Readonly<Record<string, RunMethod>> = {
  criu: runCriu,
  hibernate: runHibernate,
  qemu: runQemu,
};

interface Run {
  readonly method: string;
  readonly workload: string;
}

/** The runs that the words name: `criu:idle`, `criu` for all of its workloads, nothing for everything. @throws LabError */
export function runsOf(words: readonly string[]): readonly Run[] {
  return (words.length > 0 ? words : Object.keys(plan)).flatMap(word => {
    const [method = '', workload] = word.split(':');
    const known = Object.hasOwn(plan, method) ? plan[method] : undefined;
    if (!known) throw new LabError(`no way of moving "${method}"`, `one of: ${Object.keys(plan).join(', ')}`);
    if (workload !== undefined && !Object.hasOwn(workloads, workload))
      throw new LabError(`no workload "${workload}"`, `one of: ${Object.keys(workloads).join(', ')}`);
    return (workload === undefined ? known : [workload]).map(each => ({ method, workload: each }));
  });
}

const keep = (result: Result): void => {
  keepResult(result);
  console.log(JSON.stringify(result));
};

export async function benchCompare(words: readonly string[]): Promise<void> {
  const around = { say: (text: string) => console.error(text), keep };
  if (words[0] !== 'report') {
    const runs = runsOf(words);
    const ours = runs.filter(run => !Object.hasOwn(others, run.method));
    const jobs: (() => Promise<void>)[] = [];
    for (const [method, run] of Object.entries(others)) {
      const named = runs.filter(each => each.method === method).map(each => each.workload);
      if (named.length > 0) jobs.push(() => run(named, around));
    }
    if (ours.length > 0) jobs.push(() => runVisits(ours, around));
    for (const job of jobs) {
      await job().catch((error: unknown) => {
        process.exitCode = 1; // the others need not wait for another day
        console.error(`compare: ${errorText(error)}`);
      });
    }
  }
  report();
}
