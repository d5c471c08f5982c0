// What one run of the comparison left, and where it is kept: docs/figures/compare/METHOD.WORKLOAD.json, newest last.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryDir } from '#lab/paths.ts';

export interface Result {
  readonly method: string;
  readonly workload: string;
  /** Wall time, ISO 8601. */
  readonly measuredAt: string;
  readonly ramMiB: number;
  /** As the third machine saw it: the longest time without an answer to its datagrams. */
  readonly downtimeMs: number;
  /** Whether the third machine's TCP connection was lost. */
  readonly connectionLost: boolean;
  /** Of the downtime, as far as the method tells. */
  readonly partsMs: Readonly<Record<string, number>>;
  /** From the command until it was done and the OS (or the programs) answered. */
  readonly totalMs: number;
  /** All that went over the wire for it, both ways. */
  readonly wireBytes: number;
  /** Processor time of both emulated computers in that time, the workload's own included. */
  readonly cpuSeconds: number;
  /** For the lower bound: what had to be copied once in memory, and what had to be sent, while the OS stood still. */
  readonly imageBytes?: number;
  readonly frozenBytes?: number;
  /** What the workload said of its own pace just before. */
  readonly pace: string;
  /** Load of the host, over a minute, when the run began. */
  readonly hostLoad: number;
}

/** Rates for the lower bound, in MB/s, measured between the two computers. */
export interface Bound {
  readonly copyRate: number;
  readonly sendRate: number;
}

/** Logs of a run that are only of use at once. */
export const evidenceDir: string = join(repositoryDir, 'lab', 'out', 'compare');

const resultsDir = join(repositoryDir, 'docs', 'figures', 'compare');

const fileOf = (name: string): string => join(resultsDir, `${name}.json`);

function append(name: string, value: unknown): void {
  mkdirSync(resultsDir, { recursive: true });
  const before = existsSync(fileOf(name))
    ? (JSON.parse(readFileSync(fileOf(name), 'utf8')) as unknown[])
    : [];
  writeFileSync(fileOf(name), `${JSON.stringify([...before, value], null, 2)}\n`);
}

export function keepResult(result: Result): void {
  append(`${result.method}.${result.workload}`, result);
}

export function keepBound(bound: Bound): void {
  append('bound', bound);
}

/** All that was kept: the runs of each method and workload together, oldest first. */
export function keptResults(): readonly (readonly Result[])[] {
  if (!existsSync(resultsDir)) return [];
  return readdirSync(resultsDir)
    .filter(name => name.endsWith('.json') && name !== 'bound.json')
    .toSorted()
    .map(name => JSON.parse(readFileSync(join(resultsDir, name), 'utf8')) as Result[]);
}

/** The best rates that were measured: the bound is what nothing can go below. Undefined when none were. */
export function keptBound(): Bound | undefined {
  if (!existsSync(fileOf('bound'))) return undefined;
  const all = JSON.parse(readFileSync(fileOf('bound'), 'utf8')) as Bound[];
  return {
    copyRate: Math.max(...all.map(each => each.copyRate)),
    sendRate: Math.max(...all.map(each => each.sendRate)),
  };
}

/** The middle one of several runs by its downtime; of two the longer. */
export function middle(runs: readonly Result[]): Result {
  return runs.toSorted((x, y) => x.downtimeMs - y.downtimeMs)[Math.floor(runs.length / 2)]!;
}
