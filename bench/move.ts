// `npm run bench -- move`: one move of a busy Debian in the lab, in parts, beside the figures of the first prototypes;
// `stop-and-copy`: the same without copying ahead. Prints a table and writes lab/out/bench-<name>.json. Figures of an emulated computer compare only with each other.

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Lab, startLab } from '#lab/lab.ts';
import { os } from '#lab/os-recipe.ts';
import { repositoryDir } from '#lab/paths.ts';
import { product } from '#lab/product.ts';
import { scaled } from '#lab/time.ts';
import { checkWorkload, startWorkload, tickerPort } from '#lab/workload.ts';
import { lastMove, type MoveFigures } from './figures.ts';

interface Measured extends MoveFigures {
  /** As the third machine saw it. */
  readonly thirdMachineMs: number;
}

/** What the prototypes did, 1 GiB computers, other host: stop-and-copy by hand-written programs. */
const prototype: Readonly<Record<string, string>> = {
  freeze: '4-124 ms',
  image: '1.0-1.5 s for 230-270 MB',
  send: '25-35 MB/s',
  'write, beside send': '2.6-4.5 s for 58 000 pages',
  'third machine': '~12 s',
};

async function measure(lab: Lab, options: string): Promise<Measured> {
  const a = lab.computer('a');
  const b = lab.computer('b');
  await startWorkload(a);
  await using probe = await lab.third.probe(os.address, tickerPort);
  await a.shell(`yado migrate b${options}`, { timeoutMs: scaled(300_000) });
  const thirdMachineMs = (await probe.stop()).downtimeMs;
  await checkWorkload(b);
  return { ...(await lastMove(b)), thirdMachineMs };
}

function rowsOf({ downtime, report, thirdMachineMs }: Measured): string[][] {
  const { pages, wireBytes, preCopyBytes, timesUs } = report;
  const row = (part: string, ms: number, bytes = 0, pageCount = 0): string[] => [
    part,
    ms.toFixed(0),
    bytes && ms ? (bytes / 1000 / ms).toFixed(1) : '',
    pageCount && ms ? ((pageCount * 1000) / ms).toFixed(0) : '',
    prototype[part] ?? '',
  ];
  return [
    ['PART', 'MS', 'MB/S', 'PAGES/S', 'PROTOTYPE'],
    row('freeze', timesUs.freeze / 1000),
    row('leave', timesUs.leave / 1000),
    row('image', timesUs.image / 1000, pages * 4096, pages),
    row('serve', timesUs.serve / 1000),
    row('send', downtime.send, wireBytes - preCopyBytes, pages),
    row('write, beside send', timesUs.write / 1000, pages * 4096, pages),
    row('write, what was left', downtime.write),
    row('restore', downtime.restore),
    row('arrive', downtime.arrive),
    row('disk', downtime.disk),
    row('total', downtime.total, wireBytes - preCopyBytes, pages),
    row('third machine', thirdMachineMs),
  ];
}

export async function benchMove(name = 'move', options = ''): Promise<void> {
  const say = (text: string): void => console.error(text);
  await using lab = await startLab({ ...product(say), say });
  const out = join(repositoryDir, 'lab', 'out');
  mkdirSync(out, { recursive: true });
  const measured = await measure(lab, options).catch(async (error: unknown) => {
    await lab.evidence(out);
    throw error;
  });
  const { pages, zeroPages, referencedPages, rounds, wireBytes, preCopyBytes } = measured.report;
  const table = rowsOf(measured);
  const widths = table[0]!.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)));
  for (const cells of table) {
    const last = cells.length - 1;
    const padded = cells.map((cell, column) =>
      column === 0 || column === last ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    console.log(padded.join('  ').trimEnd());
  }
  const mega = (bytes: number): string => (bytes / 1e6).toFixed(0);
  console.log(
    `${pages} pages, ${zeroPages} of them empty, ${referencedPages} known to the target; ${mega(wireBytes)} MB on the wire, ${mega(preCopyBytes)} of them ahead in ${rounds} rounds`,
  );
  console.log(
    `software emulation on ${cpus().length} host cores: noisy, and many times slower than hardware`,
  );
  writeFileSync(join(out, `bench-${name}.json`), `${JSON.stringify(measured, null, 2)}\n`);
}
