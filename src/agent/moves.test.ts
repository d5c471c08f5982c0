// The moves of an OS as its agent holds them: one at a time, and what is remembered of one that did not begin.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { AliveCalls } from './alive.ts';
import { fakeKeyring } from './fake-keyring.ts';
import { Moves } from './moves.ts';
import { Os } from './os.ts';
import type { OsDevices } from './os-devices.ts';
import { OsPorts } from './os-ports.ts';
import type { SavedState } from './saved-state.ts';

mock.method(console, 'log', () => {});

const config = {
  computer: { name: 'a', address: '127.0.0.1/24' },
  os: { id: 'crab' },
  computers: [{ name: 'b', address: '127.0.0.62' }],
};
const saved: SavedState = {
  here: { name: 'b', address: '127.0.0.62' },
  epoch: 9,
  rsdp: 0xf0000,
  locations: [],
  history: [],
  unaware: [],
  lentFrom: {},
  devices: {},
};

test('an OS knows the computer it is on first, and an agent begun anew knows what the one before knew', () => {
  const fresh = new Os(config, undefined, fakeKeyring('b'));
  assert.deepEqual([fresh.here().name, fresh.isAtHome], ['a', true]);
  const os = new Os(config, saved, fakeKeyring('b'));
  assert.deepEqual([os.computers.map(each => each.name), os.isAtHome], [['b', 'a'], false]);
  assert.equal(os.computer('a').address, '127.0.0.1');
  assert.throws(() => os.computer('z'), { code: 'unknownComputer' });
  os.arrived({ name: 'a', address: '127.0.0.1' }, 10, null);
  assert.deepEqual(os.saved, { here: os.computer('a'), epoch: 10, rsdp: null, history: [] });
  os.useUp(11);
  assert.deepEqual([os.epoch(), os.isAtHome], [11, true]);
});

test('a target that is away: it is named, the OS stays, and the move is in the history', async () => {
  const os = new Os(config, undefined, fakeKeyring('b'));
  const began = os.epoch();
  const { promise: failed, resolve } = Promise.withResolvers<unknown>();
  const phases: string[] = [];
  let saves = 0;
  const moves = new Moves({
    os,
    devices: {} as OsDevices, // it is not looked at
    alive: { tell: () => {} } as AliveCalls,
    ports: new OsPorts(async () => {}, []),
    save: () => saves++,
    emit: (event, data) => {
      if (event === 'progress') phases.push((data as { phase: string }).phase);
      else resolve([event, data]);
    },
  });
  assert.throws(() => moves.cancel(), { code: 'nothingToCancel' });
  await assert.rejects(moves.migrate({ to: 'a' }), { code: 'sameComputer' });
  await assert.rejects(moves.migrate({ to: 'z' }), { code: 'unknownComputer' });
  assert.equal((await moves.migrate({ to: 'b' })).status, 202);
  assert.ok(moves.isMoving);
  await assert.rejects(moves.migrate({ to: 'b' }), { message: 'a is busy: it is moving the OS to b.' });
  const [event, data] = (await failed) as [string, { error: { message: string } }];
  assert.deepEqual([event, data.error.message], ['failed', 'b does not answer at 127.0.0.62:7400.']);
  assert.deepEqual([moves.isMoving, os.epoch(), saves, phases], [false, began, 1, ['preflight']]);
  const [entry] = os.history;
  assert.deepEqual([entry?.source, entry?.target, entry?.outcome], ['a', 'b', 'refused']);
});
