// Table and figures of all runs that are kept. Prints the table as Markdown and writes docs/figures/compare-*.svg.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryDir } from '#lab/paths.ts';
import { barPicture, type Group, pointPicture, type Row } from './plot.ts';
import { type Bound, keptBound, keptResults, middle, type Result } from './result.ts';
import { workloads } from './workloads.ts';

/** Ways of moving in the order they are shown, with the name a reader knows them by. */
const shownMethods: Readonly<Record<string, string>> = {
  yadokari: 'Yadokari',
  'stop-and-copy': 'stop-and-copy',
  criu: 'CRIU, programs only',
  hibernate: 'hibernate',
  qemu: 'QEMU, from outside',
};

const seconds = (ms: number): string => (ms / 1000).toFixed(ms < 1000 ? 2 : 1);
const mega = (bytes: number): string => (bytes / 1e6).toFixed(0);

/** M + T in ms; undefined where the method does not tell what it had to copy, or no rates were measured. */
export function boundMs({ imageBytes, frozenBytes }: Result, rates: Bound | undefined): number | undefined {
  if (!rates || imageBytes === undefined || frozenBytes === undefined) return undefined;
  return (imageBytes / rates.copyRate + frozenBytes / rates.sendRate) / 1000;
}

/** The parts as they are shown, and what of the downtime they do not tell. */
function partsOf({ partsMs, downtimeMs }: Result): Record<string, number> {
  const parts = Object.fromEntries(Object.entries(partsMs).filter(([, ms]) => ms > 0));
  const rest = downtimeMs - Object.values(parts).reduce((sum, ms) => sum + ms, 0);
  return rest > 0 ? { ...parts, rest } : parts;
}

interface Cell {
  readonly runs: readonly Result[];
  readonly shown: Result;
}

function cells(): Map<string, Map<string, Cell>> {
  const all = new Map<string, Map<string, Cell>>();
  for (const runs of keptResults()) {
    const shown = middle(runs);
    if (!all.has(shown.workload)) all.set(shown.workload, new Map());
    all.get(shown.workload)!.set(shown.method, { runs, shown });
  }
  return all;
}

function rowOf({ runs, shown }: Cell, rates: Bound | undefined): string[] {
  const bound = boundMs(shown, rates);
  const spread = runs.map(run => run.downtimeMs);
  const range =
    runs.length > 1
      ? ` (${seconds(Math.min(...spread))}–${seconds(Math.max(...spread))}, ${runs.length} runs)`
      : '';
  const parts = Object.entries(partsOf(shown)).map(([name, ms]) => `${name} ${seconds(ms)}`);
  return [
    workloads[shown.workload]?.about ?? shown.workload,
    shownMethods[shown.method] ?? shown.method,
    `${seconds(shown.downtimeMs)}${range}${shown.connectionLost ? ', connection lost' : ''}`,
    bound === undefined ? '' : `${seconds(bound)} (${(shown.downtimeMs / bound).toFixed(1)} ×)`,
    seconds(shown.totalMs),
    mega(shown.wireBytes),
    shown.cpuSeconds.toFixed(0),
    parts.join(', '),
  ];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  const lines = rows.map(row => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`);
  return [lines[0], `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...lines.slice(1)].join(
    '\n',
  );
}

/** Prints and draws what is kept; says so when there is nothing. */
export function report(): void {
  const all = cells();
  const rates = keptBound();
  if (all.size === 0) {
    console.log('no run is kept: npm run bench -- compare');
    return;
  }
  const known = Object.keys(workloads).filter(name => all.has(name));
  const order = Object.keys(shownMethods);
  const rows = known.flatMap(name =>
    order.flatMap(method => {
      const cell = all.get(name)!.get(method);
      return cell ? [rowOf(cell, rates)] : [];
    }),
  );
  const head = [
    'workload',
    'how',
    'downtime (s)',
    'M + T (s)',
    'in all (s)',
    'MB on the wire',
    'CPU s',
    'parts (s)',
  ];
  console.log(table([head, ...rows]));
  if (rates)
    console.log(
      `\nM at ${rates.copyRate.toFixed(0)} MB/s, T at ${rates.sendRate.toFixed(0)} MB/s, the best that were measured`,
    );
  draw(known, all, rates);
}

function draw(known: readonly string[], all: Map<string, Map<string, Cell>>, rates: Bound | undefined): void {
  const folder = join(repositoryDir, 'docs', 'figures');
  mkdirSync(folder, { recursive: true });
  const groups = (names: readonly string[], methods: readonly string[], inParts: boolean): Group[] =>
    names.map(name => ({
      title: workloads[name]!.about,
      rows: methods.flatMap((method): Row[] => {
        const shown = all.get(name)!.get(method)?.shown;
        const label = shownMethods[method]!;
        if (!shown) return [];
        const parts = inParts ? partsOf(shown) : { all: shown.downtimeMs };
        const bound = boundMs(shown, rates);
        return [
          {
            label,
            parts: Object.entries(parts).map(([part, ms]) => ({ name: part, value: ms / 1000 })),
            bound: bound === undefined ? undefined : bound / 1000,
          },
        ];
      }),
    }));
  const everyday = known.filter(name => !name.startsWith('ram'));
  const growing = known.filter(name => name.startsWith('ram'));
  const ours = ['yadokari', 'stop-and-copy'];
  const save = (name: string, svg: string): void => writeFileSync(join(folder, `compare-${name}.svg`), svg);
  const unit = 'seconds; black: lower bound M + T';
  const title = 'Downtime as a third machine saw it';
  if (everyday.length > 0) {
    save('downtime', pointPicture(title, unit, groups(everyday, Object.keys(shownMethods), false)));
    save('parts', barPicture('Downtime in parts', unit, groups(everyday, [...ours, 'criu'], true)));
  }
  if (growing.length > 0)
    save('ram', barPicture('Downtime over memory in use', unit, groups(growing, ours, true)));
}
