// The rule of one owner, proved on the model of test/world-model.ts: whatever is lost, repeated, late or dead, at most
// one computer runs the OS, and without a crash exactly one can always be reached.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findStep } from '#core/machine.ts';
import { type Exploration, explore } from './world-explorer.ts';
import {
  decode,
  describe,
  type FindStep,
  type Kind,
  runsAtA,
  runsAtB,
  runsElsewhere,
  type World,
} from './world-model.ts';

/** What nobody has to decide or to be lucky for: work, messages that arrive, timers. */
const byItself: readonly Kind[] = ['work', 'deliver', 'timer'];
const runners = (world: World) => [runsAtA, runsAtB, runsElsewhere].filter(runs => runs(world)).length;

/** The first world that breaks the rule, with the story of how it came about. */
function firstBroken(found: Exploration, holds: (world: World, code: number) => boolean): string | undefined {
  const code = found.worlds.find(each => !holds(decode(each), each));
  return code === undefined ? undefined : `${describe(decode(code))}\n${found.story(code)}`;
}

const withCrashes = explore(findStep, true);
const withoutCrashes = explore(findStep, false);

test('the model is not trivial: the OS can move, and can come back', t => {
  t.diagnostic(`${withCrashes.worlds.length} worlds with crashes, ${withoutCrashes.worlds.length} without`);
  assert.ok(withoutCrashes.worlds.some(code => runsAtB(decode(code))));
  assert.ok(withoutCrashes.worlds.some(code => decode(code).a === 'returned'));
  assert.ok(withoutCrashes.worlds.some(code => runsElsewhere(decode(code))));
  assert.ok(
    withCrashes.worlds.some(
      code => decode(code).a === 'off' && runsAtB(decode(code)) && !decode(code).granted,
    ),
  );
});

test('at most one computer runs the OS, whatever happens', () => {
  assert.equal(
    firstBroken(withCrashes, world => runners(world) <= 1),
    undefined,
  );
});

test('after the grant A never runs this copy again', () => {
  assert.equal(
    firstBroken(withCrashes, world => !world.granted || ['granted', 'off', 'doubt'].includes(world.a)),
    undefined,
  );
});

test('B runs the OS only with a grant, or by a person when A is off', () => {
  assert.equal(
    firstBroken(withCrashes, world => !runsAtB(world) || world.granted || world.a === 'off'),
    undefined,
  );
});

test('without a crash the OS is never lost: one running OS can be reached from everywhere', () => {
  const fine = withoutCrashes.canReach(world => runners(world) === 1, byItself);
  assert.equal(
    firstBroken(withoutCrashes, (_world, code) => fine[code] === 1),
    undefined,
  );
});

test('without a crash a granted copy is never reset', () => {
  assert.equal(
    firstBroken(withoutCrashes, world => !world.granted || world.b === 'copy:claiming' || runsAtB(world)),
    undefined,
  );
});

test('B loses power before the grant: A comes back by itself', () => {
  const fine = withCrashes.canReach(runsAtA, byItself);
  const elsewhere = ['off', 'doubt', 'granted'];
  assert.equal(
    firstBroken(withCrashes, (world, code) => elsewhere.includes(world.a) || fine[code] === 1),
    undefined,
  );
});

test('A comes back in doubt: while B has power one OS runs by itself, and else by a person', () => {
  assert.ok(withCrashes.worlds.some(code => decode(code).a === 'doubt' && runsAtB(decode(code))));
  const fine = withCrashes.canReach(world => runners(world) === 1, byItself);
  const byPerson = withCrashes.canReach(world => runners(world) === 1, ['person']);
  assert.equal(
    firstBroken(
      withCrashes,
      (world, code) => world.a !== 'doubt' || (world.b === 'off' ? byPerson : fine)[code] === 1,
    ),
    undefined,
  );
});

test('a grant is never given before the disk says so', () => {
  assert.equal(
    firstBroken(withCrashes, world => !world.granted || world.mark),
    undefined,
  );
});

test('A loses power while the copy asks: no timer lets it run, a person can', () => {
  const waits = (world: World) => world.a === 'off' && world.b === 'copy:claiming' && world.attempt === 1;
  const byPerson = withCrashes.canReach(runsAtB, ['person']);
  assert.equal(
    firstBroken(withCrashes, (world, code) => !waits(world) || byPerson[code] === 1),
    undefined,
  );
  const alone = withCrashes.canReach(runsAtB, byItself);
  const grantUnderWay = withCrashes.canReach(world => runsAtB(world) && world.granted, byItself);
  assert.equal(
    firstBroken(withCrashes, (world, code) => !waits(world) || !alone[code] || grantUnderWay[code] === 1),
    undefined,
  );
});

// The explorer itself must be able to find a fault: each of these rows is wrong on purpose.
const wrongRows: readonly { readonly name: string; readonly find: FindStep }[] = [
  {
    name: 'a late claim is granted although A is on its way back',
    find: spoilt('source', 'returning', 'claim', 'returning', ['grant']),
  },
  {
    name: 'A takes the OS back by a timer after the grant',
    find: spoilt('source', 'granted', 'timeout', 'returning', ['rollBack']),
  },
  { name: 'the copy runs by a timer', find: spoilt('copy', 'claiming', 'timer', 'resuming', ['resume']) },
];

function spoilt(
  role: string,
  state: string,
  event: string,
  to: string,
  effects: readonly string[],
): FindStep {
  const find = (...[r, s, e]: Parameters<FindStep>) =>
    r === role && s === state && e === event ? { state: to, effects, why: 'wrong' } : findStep(r, s, e);
  return find as FindStep;
}

for (const { name, find } of wrongRows) {
  test(`the explorer finds the fault: ${name}`, () => {
    const found = explore(find, false, world => runners(world) > 1);
    assert.notEqual(
      firstBroken(found, world => runners(world) <= 1),
      undefined,
    );
  });
}
