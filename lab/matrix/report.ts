// What a pair came to, as JSON and as a table for people. Pure.

import type { ComputerSpec } from '../computer-spec.ts';
import type { Expected, Pair } from './pairs.ts';

/** One move that was made. */
export interface Way {
  /** The OS's standstill by its own history. */
  readonly downtimeMs: number;
  /** As long the third machine got no answer. */
  readonly silenceMs: number;
}

export interface PairResult {
  readonly pair: string;
  readonly about: string;
  readonly a: string;
  readonly b: string;
  readonly expected: string;
  readonly result: 'moved' | 'refused' | 'failed';
  /** Whether it is what was expected. */
  readonly isRight: boolean;
  readonly there?: Way;
  readonly home?: Way;
  /** Of a refusal: the checks; of a failure: what did not hold. */
  readonly reason?: string;
  /** Checks that found something and did not refuse. */
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** "pc, e1000e, std, NVMe …": what may differ. */
export function hardwareOf(spec: ComputerSpec): string {
  const { machine, firmware, nic, vga, sound, disk, spareMiB, ramMiB, cpus, lacks, kernelParameters } = spec;
  return [
    machine,
    ...(firmware === undefined ? [] : [firmware.toUpperCase()]),
    nic.replace('-pci', ''),
    `${vga} display`,
    ...(sound ? ['sound card'] : []),
    disk === undefined ? 'no disk' : spareMiB === undefined ? `${disk} disk` : `two ${disk} disks`,
    `${ramMiB} MiB`,
    `${cpus} CPU${cpus === 1 ? '' : 's'}`,
    ...(lacks ?? []).map(each => `no ${each}`),
    ...(kernelParameters ?? []),
  ].join(', ');
}

export const expectedText = (expected: Expected): string =>
  expected === 'moves' ? 'moves' : `refused by ${expected.refusedBy}`;

export const describePair = ({ name, about, a, b, expected }: Pair) => ({
  pair: name,
  about,
  a: hardwareOf(a),
  b: hardwareOf(b),
  expected: expectedText(expected),
});

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const wayText = (way: Way | undefined): string =>
  way ? `${seconds(way.downtimeMs)} (${seconds(way.silenceMs)})` : '';

/** A table in Markdown. */
export function markdown(results: readonly PairResult[]): string {
  const head = ['pair', 'A', 'B', 'expected', 'result', 'there', 'home', 'why'];
  const rows = results.map(each => [
    each.pair,
    each.a,
    each.b,
    each.expected,
    each.isRight ? each.result : `**${each.result}**`,
    wayText(each.there),
    wayText(each.home),
    (each.reason ?? '').replaceAll('\n', ' ').replaceAll('|', '/').slice(0, 240),
  ]);
  const lines = [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`);
  return `${lines.join('\n')}\n\nDowntime by the OS's own history; in brackets how long a third machine got no answer.\n`;
}
