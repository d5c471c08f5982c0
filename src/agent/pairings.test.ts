// Pairing over real sockets on the loopback, from the calls of the local API to the pins on both sides.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, type TestContext, test } from 'node:test';
import type { Code } from '#core/api.ts';
import { ask } from '#managers/control-client.ts';
import { newSecret } from '#managers/identity.ts';
import { controlPort } from '#wire/control.ts';
import { encodePairing, pairingPort } from '#wire/pairing.ts';
import { ComputerKeyring } from './computer-keys.ts';
import { ControlServer } from './control-server.ts';
import { OsKeyring } from './os-keyring.ts';
import { osPairing } from './os-pairing.ts';
import { pairingHandlers } from './pairing-handlers.ts';
import { Pairings, type PairingTimes } from './pairings.ts';

mock.method(console, 'log', () => {});

const usual: PairingTimes = { acceptMs: 20_000, exchangeMs: 5000 };

/** An OS at computer a and a computer b that have never met. */
function strangers(context: TestContext, address: string, times = usual, called = 'b') {
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), 'yado-pair-'));
    context.after(() => rmSync(path, { recursive: true }));
    return path;
  };
  const osFolder = folder();
  for (const name of ['os.key', 'computer.key']) writeFileSync(join(osFolder, name), newSecret());
  const osKeys = new OsKeyring('crab', 'a', osFolder);
  const here = { name: 'a', address: '127.0.0.1' };
  const there = { name: 'b', address };
  const os = osPairing(
    { osId: 'crab', keys: osKeys, here: () => here, computer: () => there },
    new Pairings(times),
  );
  const computerKeys = new ComputerKeyring(folder());
  const screen: (readonly string[] | undefined)[] = [];
  const pairings = new Pairings(times);
  const computer = pairingHandlers(called, address, computerKeys, lines => screen.push(lines), pairings);
  context.after(async () => {
    await os.close();
    await pairings.close();
  });
  const accept = () => Promise.resolve(computer.accept?.()) as Promise<Code>;
  const pair = () => Promise.resolve(os.handlers.pair?.({ computer: 'b' })) as Promise<Code>;
  const confirmHere = async (code: string, agrees = true) => os.handlers.confirm?.({ code, agrees });
  const confirmThere = async (code: string, agrees = true) => computer.confirm?.({ code, agrees });
  return { osKeys, computerKeys, screen, accept, pair, confirmHere, confirmThere, here, there };
}

/** Until the computer listens. */
async function open(address: string): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect({ host: address, port: pairingPort });
    try {
      await once(socket, 'connect');
      socket.on('error', () => {});
      return socket;
    } catch (error) {
      if (tries > 500) throw error;
    }
  }
}

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
  const it = strangers(t, '127.0.0.55', { acceptMs: 200, exchangeMs: 100 });
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
  const stranger = (await open(address)).resume();
  stranger.write(garbage);
  await once(stranger, 'close');
  const { code } = await it.pair();
  assert.equal((await first).code, code);

  const second = assert.rejects(it.accept(), { code: 'tooManyAttempts', message: /^3 attempts/ });
  for (const bytes of [garbage, again, Buffer.alloc(0)]) {
    const socket = (await open(address)).resume();
    socket.write(bytes); // the last one says nothing at all
    await once(socket, 'close');
  }
  await second;
  await assert.rejects(it.pair(), { code: 'notAccepting' });
});

test('one at a time: whoever comes while another is being paired is hung up on', async t => {
  const it = strangers(t, '127.0.0.57');
  const accepting = it.accept();
  const first = await open(it.there.address);
  const second = (await open(it.there.address)).resume();
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
