// `npm run bench -- return`: the OS goes from A to B and home again, idle and then with the workload, all in one boot: what
// went over the wire, what did not need to, and how long it stood still; `slow`: once to a B behind a slow cable. Prints a
// row for each move and writes lab/out/bench-<name>.json. Figures of emulated computers compare only with each other.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Computer } from '#lab/computer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { repositoryDir } from '#lab/paths.ts';
import { product } from '#lab/product.ts';
import { scaled, waitFor } from '#lab/time.ts';
import { checkWorkload, startWorkload } from '#lab/workload.ts';
import { lastMove, type MoveFigures, printTable } from './figures.ts';

const pageBytes = 4096;
/** Of a slow cable. */
const megabits = 100;

interface Row extends MoveFigures {
  readonly load: string;
  readonly from: string;
  readonly to: string;
  /** What the OS's agent said of the pages that the target had. */
  readonly found: string;
}

/** A computer that the OS has left; one that keeps nothing of it becomes a standby by itself. */
async function standsBy(computer: Computer): Promise<void> {
  await waitFor(
    `${computer.name} to be a standby`,
    async () => (/standby/.test((await computer.exec('yado status')).output) ? true : undefined),
    { timeoutMs: scaled(120_000) },
  );
}

async function moveOnce(load: string, from: Computer, to: Computer): Promise<Row> {
  await from.shell(`yado migrate ${to.name}`, { timeoutMs: scaled(300_000) });
  const said =
    "journalctl -u yadod -o cat --no-pager | grep -o 'the target has .*\\|round [0-9]: .*' | tail -n 6";
  const found = (await to.shell(said)).trim();
  return { load, from: from.name, to: to.name, found, ...(await lastMove(to)) };
}

/** The first visit over a slow cable. */
async function measureSlow(lab: Lab): Promise<Row[]> {
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  await b.slow(megabits);
  return [await moveOnce(`idle, ${megabits} Mbit/s`, a, b)];
}

async function measure(lab: Lab, say: (text: string) => void): Promise<Row[]> {
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  const rows: Row[] = [];
  for (const load of ['idle', 'workload']) {
    if (load === 'workload') await startWorkload(a);
    await standsBy(b);
    for (const [from, to] of [
      [a, b],
      [b, a], // A has the disk: the move itself wakes it
    ] as const) {
      const row = await moveOnce(load, from, to);
      rows.push(row);
      say(`${load}, ${from.name} to ${to.name}: ${(row.report.wireBytes / 1e6).toFixed(0)} MB`);
      if (load === 'workload') await checkWorkload(to);
    }
  }
  return rows;
}

const mega = (bytes: number): string => (bytes / 1e6).toFixed(0);
const seconds = (ms: number): string => (ms / 1000).toFixed(1);

function cellsOf({ load, from, to, downtime, report }: Row): string[] {
  const { pages, referencedPages, recalledPages, wireBytes, preCopyBytes, rounds } = report;
  const image = pages * pageBytes;
  const after = wireBytes - preCopyBytes;
  const known = referencedPages * pageBytes;
  return [
    `${load}, ${from} to ${to}`,
    mega(image),
    mega(Math.max(0, image - known - after)),
    mega(known),
    mega(after),
    mega(recalledPages * pageBytes),
    mega(preCopyBytes),
    String(rounds),
    mega(wireBytes),
    (wireBytes / image).toFixed(2),
    seconds(downtime.send),
    seconds(downtime.restore),
    seconds(downtime.total),
  ];
}

export const benchReturn = (): Promise<void> => bench('return', measure);
export const benchSlow = (): Promise<void> => bench('slow', measureSlow);

async function bench(
  name: string,
  run: (lab: Lab, say: (text: string) => void) => Promise<Row[]>,
): Promise<void> {
  const say = (text: string): void => console.error(text);
  await using lab = await startLab({ ...product(say), say });
  const out = join(repositoryDir, 'lab', 'out');
  mkdirSync(out, { recursive: true });
  const rows = await run(lab, say).catch(async (error: unknown) => {
    await lab.evidence(join(out, name));
    throw error;
  });
  for (const row of rows)
    console.log(`${row.load}, ${row.from} to ${row.to}: ${row.found.replaceAll('\n', '; ')}`);
  printTable([
    [
      'MOVE',
      'IMAGE MB',
      'EMPTY',
      'KNOWN',
      'SENT',
      'FOUND',
      'AHEAD MB',
      'ROUNDS',
      'WIRE MB',
      'OF IMAGE',
      'SEND S',
      'RESTORE S',
      'DOWNTIME S',
    ],
    ...rows.map(cellsOf),
  ]);
  console.log(
    'of the image: pages that are empty, that B knew (among them those it found in its own memory before), that were sent after the freeze',
  );
  console.log(
    `software emulation on ${cpus().length} host cores: noisy, and many times slower than hardware`,
  );
  writeFileSync(join(out, `bench-${name}.json`), `${JSON.stringify(rows, null, 2)}\n`);
}
