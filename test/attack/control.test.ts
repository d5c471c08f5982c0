// Somebody in the middle of the control channel (TCP 7400): whatever is done to a request on the way, it is not carried out
// a second time, or not at all; the OS that asked is told by name and goes on; the next request is answered.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { after, before, beforeEach, mock, test } from 'node:test';
import { YadoError } from '#core/errors.ts';
import { ControlSession } from '#managers/control-session.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { ControlServer } from '../../src/agent/control-server.ts';
import { attacks, type Change, relay, tlsRecord, unchanged } from './relay.ts';

const host = '127.0.0.1';
let port = 0;
/** What was carried out. */
let done: string[] = [];
const server = new ControlServer(
  () => 'beta',
  {
    status: () => {
      done.push('status');
      return { name: 'beta', role: 'standby' };
    },
    standby: () => {
      done.push('standby');
      return {};
    },
  },
  fakeComputer,
);

before(async () => {
  mock.method(console, 'log', () => {});
  const probe = createServer().listen(0, host);
  await once(probe, 'listening');
  port = (probe.address() as AddressInfo).port;
  probe.close();
  await once(probe, 'close');
  await server.listen(host, port);
});
after(() => server.close());
beforeEach(() => {
  done = [];
});

/** Asks `standby`, then `status`, on one connection with somebody in between; how it went, and what the OS has sent. */
async function ask(change: Change) {
  await using between = await relay({ host, port: 0 }, { host, port }, tlsRecord, change);
  using session = new ControlSession({ name: 'beta', ip: host, port: between.port, keys: fakeOs });
  const options = { timeoutMs: 5000 };
  const questions = [session.ask('standby', {}, options), session.ask('status', {}, options)];
  const results = await Promise.allSettled(questions);
  return {
    refused: results.flatMap(each => (each.status === 'rejected' ? [each.reason] : [])),
    sent: between.recorded,
  };
}

/** How many records the OS sends until it has proved who it is; one more for each request. */
async function handshakeRecords(): Promise<number> {
  const { refused, sent } = await ask(unchanged);
  assert.deepEqual([refused, done], [[], ['standby', 'status']]);
  done = [];
  return sent.length - 2;
}

/** It goes on. */
async function answersOthers(): Promise<void> {
  done = [];
  using session = new ControlSession({ name: 'beta', ip: host, port, keys: fakeOs });
  assert.equal((await session.ask('status', {}, { timeoutMs: 5000 })).name, 'beta');
  assert.deepEqual(done, ['status']);
}

const carriedOut: Readonly<Record<string, readonly string[]>> = {
  replayed: ['standby'], // once, and nothing behind the repetition
  reordered: [],
  truncated: [],
  'bit-flipped': [],
  oversized: [],
};
for (const what of Object.keys(carriedOut)) {
  test(`control channel, a request ${what}: carried out no more than once, refused by name`, async () => {
    const attack = attacks(await handshakeRecords(), 3, 2)[what];
    assert.ok(attack);
    const { refused } = await ask(attack());
    assert.ok(refused.length > 0);
    for (const error of refused) {
      assert.ok(error instanceof YadoError);
      assert.match(error.code, /^(unreachable|notSecure)$/);
    }
    assert.deepEqual(done, carriedOut[what]);
    await answersOthers();
  });

  if (what === 'reordered') continue; // the OS says nothing more before it is answered
  test(`control channel, the handshake ${what}: nobody is heard`, async () => {
    const attack = attacks(0, 3, 2)[what];
    assert.ok(attack);
    const { refused } = await ask(attack());
    assert.equal(refused.length, 2);
    assert.deepEqual(done, []);
    await answersOthers();
  });
}

test('control channel, a whole recorded connection played again: nothing is carried out', async () => {
  const { sent } = await ask(unchanged);
  done = [];
  const again = connect({ host, port });
  again.on('error', () => {});
  again.resume().write(Buffer.concat(sent));
  await once(again, 'close');
  assert.deepEqual(done, []);
  await answersOthers();
});
