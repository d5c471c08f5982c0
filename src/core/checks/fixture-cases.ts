// For tests only: two computers with which every check is content, changed a little, and what is found then.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { type Capabilities, CapabilitiesSchema } from '../capabilities.ts';
import type { WayDecision } from '../device-ways.ts';
import type { DiskLook, DiskPlan, FoundDisk } from '../disk-wish.ts';
import { alpha, beta, MiB, plainOs, plainRequest } from '../fixture-computers.ts';
import type { OsState } from '../os-state.ts';
import { preflight } from '../preflight.ts';
import type { PreflightCheck, PreflightRequest } from './check.ts';

/** What is not as on the plain computers: alpha has the OS, beta waits for it. */
export interface Situation {
  readonly a?: Partial<Capabilities>;
  readonly os?: Partial<OsState>;
  readonly b?: Partial<Capabilities>;
  readonly request?: Partial<PreflightRequest>;
}

/** The one check that finds something, and what it says. */
export interface Case extends Situation {
  readonly id: string;
  readonly says: RegExp;
  readonly hint?: RegExp;
}

export const cpu = (change: Partial<Capabilities['cpu']>) => ({ cpu: { ...beta.cpu, ...change } });
export const memory = (of: Capabilities, change: Partial<Capabilities['memory']>) => ({
  memory: { ...of.memory, ...change },
});
export const clock = (change: Partial<Capabilities['clock']>) => ({ clock: { ...beta.clock, ...change } });
export const firmware = (change: Partial<Capabilities['firmware']>) => ({
  firmware: { ...alpha.firmware, ...change },
});

export const way = (change: Partial<WayDecision>): WayDecision => ({
  device: 'network0',
  class: 'network',
  way: 'direct',
  computer: 'beta',
  reason: 'beta has no network',
  ...change,
});

/** Memory of beta reaches to where alpha has its cards. */
export const upTo = (endPfn: number) =>
  memory(beta, { ramRanges: [...beta.memory.ramRanges, { startPfn: 0x40000, endPfn }] });

const spare: FoundDisk = {
  place: { pciAddress: '0000:00:07.0', unit: 0 },
  name: 'virtio-spare',
  sizeBytes: 2048 * MiB,
  isReadOnly: false,
  sectorBytes: 512,
  use: null,
  holds: null,
  markOf: null,
  fileSystem: null,
};
export const lookAt = (change: Partial<FoundDisk>): DiskLook => ({
  found: { ...spare, ...change },
  matches: 1,
  names: [spare.name],
});
/** A disk that may follow to one of beta. */
export const diskPlan = (change: Partial<DiskPlan>): DiskPlan => ({
  ...{
    mode: 'follow',
    isShared: false,
    identity: 'i1 ',
    os: 'crab',
    asked: spare.name,
    sizeBytes: 2048 * MiB,
    at: 'alpha',
    fileSystem: 'f5',
  },
  ...{ lacks: undefined, look: lookAt({}) },
  ...change,
});

/** All that is found, in the order of the list. */
export function found({ a, os, b, request }: Situation) {
  const source = { ...alpha, os: { ...plainOs, ...os }, ...a };
  const target = { ...beta, ...b };
  v.parse(CapabilitiesSchema, source);
  v.parse(CapabilitiesSchema, target);
  const { checks } = preflight(source, target, { ...plainRequest, ...request });
  const all = checks.filter(check => !check.ok);
  for (const { id, text } of all) assert.match(text, /^(?=.*(alpha|beta|OS))\S.*\.$/, id);
  return all;
}

/** @returns the names of what is found */
export const foundIds = (situation: Situation): string[] => found(situation).map(each => each.id);

/** A test for each case. */
function tryCases(cases: readonly Case[]): void {
  for (const each of cases) {
    test(`${each.id}: ${each.says.source}`, () => {
      const results = found(each);
      assert.deepEqual(
        results.map(check => check.id),
        [each.id],
      );
      assert.match(results[0]?.text ?? '', each.says);
      assert.match(results[0]?.hint ?? '', each.hint ?? /\w/);
    });
  }
}

/** A test that no check of the group is left out. `others`: names of those that are tried in a way of their own. */
export function tryGroup(
  checks: readonly PreflightCheck[],
  cases: readonly Case[],
  others: readonly string[] = [],
): void {
  tryCases(cases);
  test('every check of the group is tried', () => {
    const tried = new Set([...cases.map(each => each.id), ...others]);
    assert.deepEqual(
      checks.map(each => each.id).filter(id => !tried.has(id)),
      [],
    );
  });
}
