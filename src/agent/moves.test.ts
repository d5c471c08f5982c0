// The moves of an OS as its agent holds them: one at a time, and what is remembered of one that did not begin.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { controlPort } from '#wire/control.ts';
import type { AliveCalls } from './alive.ts';
import { ApiServer } from './api-server.ts';
import type { BegunMoves } from './begun-moves.ts';
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
const noSwaps = { make: async () => {}, hold: async () => {}, putAway: () => {} };
const noHooks = { run: async () => {}, tell: () => {}, settled: async () => {} };
const noLeftSwaps = { off: async () => {}, on: () => {}, settled: async () => {} };
const saved: SavedState = {
  here: { name: 'b', address: '127.0.0.62' },
  epoch: 9,
  rsdp: 0xf0000,
  locations: [],
  history: [],
  unaware: [],
  lentFrom: {},
  leftSwaps: [],
  leftMounts: [],
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

test('started with a clock that was set back, the epochs of an OS go on growing', () => {
  const ahead = Math.floor(Date.now() / 1000) + 30_000;
  assert.equal(new Os(config, undefined, fakeKeyring('b'), ahead).epoch(), ahead);
  assert.ok(new Os(config, undefined, fakeKeyring('b'), 5).epoch() > 1e9, 'a clock that is right counts');
  assert.equal(new Os(config, saved, fakeKeyring('b'), ahead).epoch(), 9);
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
    begun: {} as BegunMoves,
    swaps: noSwaps,
    leftSwaps: noLeftSwaps,
    leftMounts: noLeftSwaps,
    hooks: noHooks,
    away: { set: () => false, readUnitsAnew: async () => {} },
    save: () => saves++,
    emit: (event, data) => {
      if (event === 'progress') phases.push((data as { phase: string }).phase);
      else resolve([event, data]);
    },
  });
  assert.throws(() => moves.cancel(), { code: 'nothingToCancel' });
  await assert.rejects(moves.migrate({ to: 'a' }), { code: 'sameComputer' });
  await assert.rejects(moves.migrate({ to: 'z' }), { code: 'unknownComputer' });
  await assert.rejects(moves.doctor({ with: 'a' }), { code: 'sameComputer' });
  await assert.rejects(moves.doctor({ with: 'z' }), { code: 'unknownComputer' });
  assert.equal((await moves.migrate({ to: 'b' })).status, 202);
  await assert.rejects(moves.doctor({}), { message: 'a is busy: it is moving the OS to b.' });
  assert.ok(moves.isMoving);
  await assert.rejects(moves.migrate({ to: 'b' }), { message: 'a is busy: it is moving the OS to b.' });
  const [event, data] = (await failed) as [string, { error: { message: string } }];
  assert.deepEqual([event, data.error.message], ['failed', 'b does not answer at 127.0.0.62:7400.']);
  assert.deepEqual([moves.isMoving, os.epoch(), saves, phases], [false, began, 1, ['preflight']]);
  const [entry] = os.history;
  assert.deepEqual([entry?.source, entry?.target, entry?.outcome], ['a', 'b', 'refused']);
});

test('a move that does not begin has an entry of its own, also when the history is full', async () => {
  const old = Array.from({ length: 100 }, (_, at) => ({
    ...{ id: `10-${101 - at}`, source: 'b', target: 'a', epoch: 10, outcome: 'refused' as const },
    ...{ startedAt: '', endedAt: '', bytesSent: 0 },
  }));
  const os = new Os(
    config,
    { ...saved, here: { name: 'a', address: '127.0.0.1' }, history: old },
    fakeKeyring('b'),
  );
  let ended = Promise.withResolvers<void>();
  const moves = new Moves({
    os,
    devices: {} as OsDevices,
    alive: { tell: () => {} } as AliveCalls,
    ports: new OsPorts(async () => {}, []),
    begun: {} as BegunMoves,
    swaps: noSwaps,
    leftSwaps: noLeftSwaps,
    leftMounts: noLeftSwaps,
    hooks: noHooks,
    away: { set: () => false, readUnitsAnew: async () => {} },
    save: () => {},
    emit: event => event === 'failed' && ended.resolve(),
  });
  for (const _ of [1, 2, 3]) {
    await moves.migrate({ to: 'b' });
    await ended.promise;
    ended = Promise.withResolvers();
  }
  assert.equal(os.history.length, 100);
  assert.deepEqual(os.history.slice(3), old.slice(0, 97));
  assert.equal(new Set(os.history.map(each => each.id)).size, 100);
});

/** Asks the local API as `yado` does; gives the status, and the sentence of an error. */
async function post(
  socketPath: string,
  path: string,
  body: object,
): Promise<[number | undefined, string | undefined]> {
  const sent = request({ socketPath, method: 'POST', path, agent: false });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return [response.statusCode, (JSON.parse(text) as { error?: { message: string } }).error?.message];
}

test('moves that are asked for at once over the API: one begins, and goes on unharmed by the others', async t => {
  const silent = createServer(() => {}).listen(controlPort, '127.0.0.64');
  await once(silent, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'yado-moves-'));
  const os = new Os(
    { ...config, computers: [{ name: 'b', address: '127.0.0.64' }] },
    undefined,
    fakeKeyring('b'),
  );
  const { promise: failed, resolve } = Promise.withResolvers<unknown>();
  const moves = new Moves({
    os,
    devices: {} as OsDevices,
    alive: { tell: () => {} } as AliveCalls,
    ports: new OsPorts(async () => {}, []),
    begun: {} as BegunMoves,
    swaps: noSwaps,
    leftSwaps: noLeftSwaps,
    leftMounts: noLeftSwaps,
    hooks: noHooks,
    away: { set: () => false, readUnitsAnew: async () => {} },
    save: () => {},
    emit: (event, data) => event === 'progress' || resolve([event, data]),
  });
  const lent: unknown[] = [];
  const api = new ApiServer({
    migrate: asked => moves.migrate(asked),
    cancel: () => moves.cancel(),
    lend: asked => moves.whileStill(() => ({ count: lent.push(asked) })),
  });
  const socketPath = join(folder, 'api.sock');
  await api.listen(socketPath);
  t.after(async () => {
    await api.close();
    silent.close();
    rmSync(folder, { recursive: true });
  });
  const busy = [409, 'a is busy: it is moving the OS to b.'];
  const answers = await Promise.all([1, 2, 3].map(() => post(socketPath, '/v1/migrate', { to: 'b' })));
  assert.deepEqual(
    answers.filter(([status]) => status !== 202),
    [busy, busy],
  );
  assert.deepEqual(await post(socketPath, '/v1/migrate', { to: 'b', dryRun: true }), busy);
  assert.deepEqual(await post(socketPath, '/v1/lend', { device: 'display0', to: 'b' }), busy);
  assert.deepEqual([moves.isMoving, os.history, lent], [true, [], []]);
  assert.deepEqual(await post(socketPath, '/v1/cancel', {}), [200, undefined]);
  const [event, data] = (await failed) as [string, { error: { code: string } }];
  assert.deepEqual([event, data.error.code, moves.isMoving], ['failed', 'cancelled', false]);
  assert.deepEqual(
    os.history.map(each => each.outcome),
    ['cancelled'],
  );
});
