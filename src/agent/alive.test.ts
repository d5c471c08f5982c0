// Who is told that the OS is alive, and for how long.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { controlPort } from '#wire/control.ts';
import { AliveCalls, pauseAfter } from './alive.ts';
import { ControlServer } from './control-server.ts';

const here = { name: 'c', address: '127.0.0.1' };
const a = { name: 'a', address: '127.0.0.34' };
const b = { name: 'b', address: '127.0.0.35' };
const os = () => ({ osId: 'crab', epoch: 9, here, keys: fakeOs });

test('a computer that is away at first, and busy then, hears it in the end', async () => {
  const heard = Promise.withResolvers<void>();
  const calls = new AliveCalls(os, [a], heard.resolve);
  calls.tell();
  let busy = 2;
  const asked: unknown[] = [];
  const ghost = new ControlServer(
    () => 'a',
    {
      alive: request => {
        asked.push(request);
        if (busy-- > 0) throw yadoError('busy', { computer: 'a', activity: 'it waits' });
        return {};
      },
    },
    fakeComputer,
  );
  await ghost.listen(a.address, controlPort);
  await heard.promise;
  assert.deepEqual(calls.unaware, []);
  assert.equal(asked.length, 3);
  assert.deepEqual(asked[2], { osId: 'crab', epoch: 9, computer: 'c', address: '127.0.0.1' });
  await ghost.close();
});

test('one that is no ghost any more is left alone', async () => {
  mock.method(console, 'log', () => {});
  const standby = new ControlServer(() => 'b', {}, fakeComputer);
  await standby.listen(b.address, controlPort);
  const heard = Promise.withResolvers<void>();
  const calls = new AliveCalls(os, [b], heard.resolve);
  calls.tell();
  await heard.promise;
  assert.deepEqual(calls.unaware, []);
  await standby.close();
});

test('whoever was left and has not heard is remembered, until the OS comes back there', async () => {
  const calls = new AliveCalls(os, [], () => assert.fail('nobody has heard'));
  calls.moved(a, b);
  calls.tell();
  calls.moved(b, here);
  calls.tell();
  assert.deepEqual(calls.unaware, [a, b]);
  calls.moved(here, a);
  assert.deepEqual(calls.unaware, [b, here]);
  calls.stop();
});

test('the pauses grow, and not without end', () => {
  assert.deepEqual([0, 5000, 3_600_000].map(pauseAfter), [100, 500, 30_000]);
});
