// Pairing over real sockets on the loopback, from the calls of the local API to the pins on both sides.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mock, test } from 'node:test';
import { ask } from '#managers/control-client.ts';
import { controlPort } from '#wire/control.ts';
import { encodePairing } from '#wire/pairing.ts';
import { ControlServer } from './control-server.ts';
import { connectTo, strangers, usual } from './fake-pairing.ts';

mock.method(console, 'log', () => {});

test('the same code on both sides and on the screen; once confirmed, the control channel works', async t => {
  const it = strangers(t, '127.0.0.51');
  const server = new ControlServer(
    () => 'b',
    { status: () => ({ name: 'b', role: 'standby' }) },
    () => it.computerKeys.server,
  );
  await server.listen(it.there.address, controlPort);
  t.after(() => server.close());
  const peer = { name: 'b', ip: it.there.address, port: controlPort, keys: it.osKeys };
  const status = () => ask(peer, 'status', {}, { timeoutMs: 5000 });
  await assert.rejects(status(), { code: 'notPaired' });

  const accepting = it.accept();
  const shown = await it.pair();
  const seen = await accepting;
  assert.deepEqual([shown.name, seen.name], ['b', 'crab']);
  assert.equal(shown.code, seen.code);
  const digits = `${seen.code.slice(0, 3)} ${seen.code.slice(3)}`;
  assert.ok(it.screen.at(-1)?.some(line => line.includes(digits)));
  await assert.rejects(status(), { code: 'notPaired' }, 'nothing counts before it is confirmed');
  assert.deepEqual(await Promise.all([it.confirmHere(shown.code), it.confirmThere(seen.code)]), [
    { name: 'b' },
    { name: 'crab' },
  ]);
  assert.equal(it.osKeys.pinOf('b'), it.computerKeys.server.identity.publicKey);
  assert.deepEqual(await status(), { name: 'b', role: 'standby' });
  await assert.rejects(it.pair(), { code: 'notAccepting', hint: /yado accept/ });

  it.computerKeys.disown('crab');
  await assert.rejects(status(), { code: 'strangerRefused' }, 'at once, without a restart');
});

test('a computer that nobody asked to accept has no port open', async t => {
  const it = strangers(t, '127.0.0.52');
  await assert.rejects(it.pair(), {
    code: 'notAccepting',
    message: 'b does not wait to be paired at 127.0.0.52:7403.',
  });
});

test('a code that differs pairs nothing on either side', async t => {
  const it = strangers(t, '127.0.0.53');
  const accepting = it.accept();
  const { code } = await it.pair();
  await accepting;
  const wrong = code === '000000' ? '000001' : '000000';
  const there = assert.rejects(it.confirmThere(code), {
    code: 'pairingDeclined',
    message: /at the other side/,
  });
  await assert.rejects(it.confirmHere(wrong), { code: 'otherCode' });
  await there;
  assert.equal(it.osKeys.pinOf('b'), undefined);
  assert.deepEqual(it.computerKeys.keys.owners, []);
  await assert.rejects(it.confirmHere(code), { code: 'nothingToConfirm' });
});

test('a no is told to the other side', async t => {
  const it = strangers(t, '127.0.0.54');
  const accepting = it.accept();
  const { code } = await it.pair();
  await accepting;
  const here = assert.rejects(it.confirmHere(code), { code: 'pairingDeclined' });
  await assert.rejects(it.confirmThere(code, false), { code: 'pairingDeclined', message: /declined here/ });
  await here;
});

test('after its time a computer accepts no more, and a code counts no more', async t => {
  const it = strangers(t, '127.0.0.55', { acceptMs: 1500, exchangeMs: 1000 });
  await assert.rejects(it.accept(), { code: 'pairingExpired' });
  await assert.rejects(it.pair(), { code: 'notAccepting' });
  const accepting = it.accept();
  const { code } = await it.pair();
  await accepting;
  await assert.rejects(it.confirmThere(code), { code: /pairingExpired|pairingBroken/ });
  assert.equal(it.osKeys.pinOf('b'), undefined);
});

test('three strangers that say nothing sensible end it; one leaves room for the real one', async t => {
  const it = strangers(t, '127.0.0.56', { ...usual, exchangeMs: 100 });
  const { address } = it.there;
  const garbage = Buffer.from('GET / HTTP/1.1\r\n\r\n');
  const again = encodePairing({ type: 'verdict', agrees: true });
  const first = it.accept();
  const stranger = (await connectTo(address)).resume();
  stranger.write(garbage);
  await once(stranger, 'close');
  const { code } = await it.pair();
  assert.equal((await first).code, code);

  const second = assert.rejects(it.accept(), { code: 'tooManyAttempts', message: /^3 attempts/ });
  for (const bytes of [garbage, again, Buffer.alloc(0)]) {
    const socket = (await connectTo(address)).resume();
    socket.write(bytes); // the last one says nothing at all
    await once(socket, 'close');
  }
  await second;
  await assert.rejects(it.pair(), { code: 'notAccepting' });
});

test('one at a time: whoever comes while another is being paired is hung up on', async t => {
  const it = strangers(t, '127.0.0.57');
  const accepting = it.accept();
  const first = await connectTo(it.there.address);
  const second = (await connectTo(it.there.address)).resume();
  await once(second, 'close');
  first.destroy();
  await once(first, 'close');
  const { code } = await it.pair();
  assert.equal((await accepting).code, code);
});

test('another computer at that address is named', async t => {
  const it = strangers(t, '127.0.0.58', usual, 'c');
  const accepting = it.accept();
  accepting.catch(() => {});
  await assert.rejects(it.pair(), {
    code: 'otherComputer',
    message: 'What answers at 127.0.0.58 calls itself c, not b.',
    hint: 'yado pair c --address 127.0.0.58, if that is the computer you mean',
  });
});
