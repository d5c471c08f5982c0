// The migration table is well formed: no two rows for one pair, no hole where the frozen helper would fall into.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { YadoError } from './errors.ts';
import { findStep, machines, step } from './machine.ts';
import { migrationMarkdown } from './migration-docs.ts';
import { type Role, sourceStates } from './migration-table.ts';

const roles = Object.keys(machines) as Role[];
interface Loose {
  states: readonly string[];
  events: readonly string[];
  agentEvents: readonly string[];
  runner: Readonly<Record<string, string>>;
  rows: readonly { from: readonly string[]; on: readonly string[]; to: string; effects: readonly string[] }[];
}
const loose = (role: Role) => machines[role] as unknown as Loose;

for (const role of roles) {
  test(`${role}: at most one row for each state and event`, () => {
    const { states, events, rows } = loose(role);
    for (const state of states) {
      for (const event of events) {
        const matching = rows.filter(row => row.from.includes(state) && row.on.includes(event));
        assert.ok(matching.length <= 1, `${role} ${state} ${event} has ${matching.length} rows`);
      }
    }
  });

  test(`${role}: rows name known states and events, and every state can be entered`, () => {
    const { states, events, rows } = loose(role);
    for (const row of rows) {
      for (const state of row.from) assert.ok(states.includes(state), state);
      for (const event of row.on) assert.ok(events.includes(event), event);
      assert.ok(row.to === 'same' || states.includes(row.to), row.to);
    }
    const entered = new Set<string>([machines[role].start, ...rows.map(row => row.to)]);
    assert.deepEqual(
      states.filter(state => !entered.has(state)),
      [],
    );
  });

  test(`${role}: the helper has a row for every event that can come while it runs`, () => {
    const { states, events, agentEvents, runner, rows } = loose(role);
    for (const state of states.filter(each => runner[each] === 'helper')) {
      for (const event of events.filter(each => !agentEvents.includes(each))) {
        const found = rows.some(row => row.from.includes(state) && row.on.includes(event));
        assert.ok(found, `${role} has no row for ${event} in ${state}`);
      }
    }
  });
}

test('a missing row throws and names role, state and event', () => {
  assert.throws(
    () => step('target', 'standby', 'go'),
    (error: unknown) =>
      error instanceof YadoError &&
      error.code === 'illegalTransition' &&
      ['target', 'standby', '"go"'].every(word => error.message.includes(word)),
  );
});

test('every state before the grant leads back by cancel, time-out, lost link or failure', () => {
  const frozen = sourceStates.slice(sourceStates.indexOf('freezing'), sourceStates.indexOf('granted'));
  for (const state of frozen) {
    for (const event of ['cancel', 'timeout', 'failed'] as const) {
      assert.equal(findStep('source', state, event)?.state, 'returning', `${state} ${event}`);
    }
  }
});

test('granted is left by nothing, and thawing is not stopped half way', () => {
  for (const event of machines.source.events) {
    assert.equal(findStep('source', 'granted', event)?.state ?? 'granted', 'granted');
    const next = findStep('source', 'returning', event)?.state ?? 'returning';
    assert.ok(next === 'returning' || next === 'returned');
  }
});

test('the documentation names every state and every reason', () => {
  const text = migrationMarkdown();
  for (const role of roles) {
    for (const state of loose(role).states) assert.ok(text.includes(state));
    for (const { why } of machines[role].rows) assert.ok(text.includes(why));
  }
});
