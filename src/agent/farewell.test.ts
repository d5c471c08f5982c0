// Who hears that the OS has ended, and what keeps its last program waiting.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import type { OsPlace } from '#managers/location-manager.ts';
import { controlPort } from '#wire/control.ts';
import { type ControlHandlers, ControlServer } from './control-server.ts';
import { sayFarewell, whoIsTold } from './farewell.ts';

const here = { name: 'b', address: '127.0.0.1' };
const os: OsPlace = {
  ...{ osId: 'crab', keys: fakeOs, here: () => here, epoch: () => 9 },
  computer: () => assert.fail('it is given'),
};

async function computerAt(
  context: TestContext,
  address: string,
  handlers: ControlHandlers,
): Promise<{ name: string; address: string }> {
  const server = new ControlServer(() => 'a', handlers, fakeComputer);
  await server.listen(address, controlPort);
  context.after(() => server.close());
  return { name: 'a', address };
}

const place = { pciAddress: '0000:00:06.0', identity: '0123456789abcdef' };
const shared = { starts: { name: 'a', address: '192.0.2.1' }, mark: '' };
const diskAt = (computer: string, memory = {}) => ({
  locations: [
    { device: 'disk0', computer, epoch: 9 },
    ...['a', 'b', 'c', 'c'].map((name, at) => ({ device: `printer${at}`, computer: name, epoch: 9 })),
  ],
  unaware: [{ name: 'd', address: '192.0.2.4' }],
  devices: { disk0: { place, typeName: 'disk', ...memory } },
});

test('whoever serves a device is told, once, and then the computer that starts the OS', () => {
  const told = { serving: ['c', 'd'], home: 'a' };
  assert.deepEqual(whoIsTold(diskAt('a'), 'b', 'a'), { ...told, isWrittenElsewhere: false });
  const atHome = whoIsTold(diskAt('a', { shared, owed: ['e'] }), 'b', 'a');
  assert.deepEqual(atHome, { serving: ['c', 'd', 'e'], home: 'a', isWrittenElsewhere: false });
  // Who does not serve it cannot keep anyone from writing.
  assert.deepEqual(whoIsTold(diskAt('c', { shared }), 'b', 'a'), { ...told, isWrittenElsewhere: true });
  assert.deepEqual(whoIsTold(diskAt('b', { shared }), 'b', 'a'), { ...told, isWrittenElsewhere: true });
});

test('an older state of the OS is not started: home need only serve no more, and who has the newer one serves it on', () => {
  const nobody = { home: undefined, isWrittenElsewhere: true };
  assert.deepEqual(whoIsTold(diskAt('b'), 'b', 'a'), { serving: ['a', 'c', 'd'], ...nobody });
  assert.deepEqual(whoIsTold(diskAt('c'), 'b', 'a'), { serving: ['a', 'd'], ...nobody });
  const unreadable = { ...diskAt('c'), devices: {} };
  assert.deepEqual(whoIsTold(unreadable, 'b', 'a'), { serving: ['a', 'd'], ...nobody });
  // It has followed to c, and others reach it there.
  const fromC = { shared: { ...shared, starts: { name: 'c', address: '192.0.2.3' } } };
  assert.deepEqual(whoIsTold(diskAt('b', fromC), 'b', 'a'), { serving: ['a', 'c', 'd'], ...nobody });
});

test('nobody else is told of an OS at home', () => {
  const { home } = whoIsTold(diskAt('a'), 'a', 'a');
  assert.equal(home, undefined);
});

test('a computer that is busy is asked again', async t => {
  const asked: unknown[] = [];
  const a = await computerAt(t, '127.0.0.41', {
    ended: request => {
      asked.push(request);
      if (asked.length < 3)
        throw yadoError('busy', { computer: 'a', activity: 'it starts its standby image' });
      return {};
    },
  });
  assert.equal(await sayFarewell(os, a, 'off', 20_000), undefined);
  assert.equal(asked.length, 3);
  assert.deepEqual(asked[2], { osId: 'crab', epoch: 9, how: 'off' });
});

test('one that has an older state of the OS is not asked twice', async t => {
  const a = await computerAt(t, '127.0.0.42', {
    ended: () => {
      throw yadoError('diskIsOld', { computer: 'a', os: 'crab' });
    },
  });
  assert.equal((await sayFarewell(os, a, 'restart', 20_000))?.code, 'diskIsOld');
});

test('one that is not there is asked until the time is over', async () => {
  const there = { name: 'a', address: '127.0.0.43' };
  assert.match((await sayFarewell(os, there, 'restart', 0))?.message ?? '', /^a does not answer/);
});
