// The control server against strangers: whatever comes in, it answers with a sentence and a hint or hangs up, and goes
// on serving others. Loopback only.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectPlainly, createServer, type Socket } from 'node:net';
import { after, before, mock, test } from 'node:test';
import { type ConnectionOptions, connect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { encode } from 'cborg';
import fc from 'fast-check';
import { YadoError, yadoError } from '#core/errors.ts';
import { ask } from '#managers/control-client.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { identityOf, newSecret } from '#managers/identity.ts';
import { secureOptions } from '#managers/secure-socket.ts';
import {
  controlRequests,
  decodeAnswer,
  encodeRequest,
  MessageReader,
  maxControlBytes,
  protocolVersion,
} from '#wire/control.ts';
import { ControlServer } from './control-server.ts';

const host = '127.0.0.1';
let port = 0;
let slow = Promise.withResolvers<Record<string, never>>();
/** Called for each request that is read. */
const handled = { asked: (): void => {} };
const server = new ControlServer(
  () => 'beta',
  {
    status: () => {
      handled.asked();
      return { name: 'beta', role: 'standby' };
    },
    device: ({ device }) => {
      if (device === 'broken') throw new TypeError('cannot read this');
      if (device !== 'disk0') throw yadoError('unknownDevice', { device, computer: 'beta' });
      const secret = new Uint8Array(32);
      return { ready: true, exportName: 'os-disk0-1', port: 10_809, secret, cipher: 'aes128gcm' };
    },
    cancel: () => slow.promise,
  },
  fakeComputer,
);

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, host);
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

before(async () => {
  mock.method(console, 'log', () => {});
  port = await freePort();
  await server.listen(host, port);
});
after(() => server.close());

const peer = () => ({ name: 'beta', ip: host, port, keys: fakeOs });
const status = () => ask(peer(), 'status', {}, { timeoutMs: 5000 });

/** Opens a connection as the paired OS, or as somebody else, that does not mind being hung up on. */
function open(options: ConnectionOptions = secureOptions(fakeOs.identity)): TLSSocket {
  const socket = connect({ host, port, rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  return socket;
}

function openPlainly(): Socket {
  const socket = connectPlainly({ host, port });
  socket.on('error', () => {});
  return socket;
}

/** However it was closed: a reset is as good as an end. */
const closed = (socket: Socket): Promise<void> =>
  socket.closed ? Promise.resolve() : new Promise(resolve => socket.once('close', () => resolve()));

/** Sends bytes and gives everything that comes back until the server hangs up or, with `answers`, that many came. */
async function say(bytes: Uint8Array, answers = Number.POSITIVE_INFINITY, socket: Socket = open()) {
  const reader = new MessageReader();
  const got: ReturnType<typeof decodeAnswer>[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk)) got.push(decodeAnswer(message));
    if (got.length >= answers) resolve();
  });
  socket.on('close', () => resolve());
  socket.write(bytes);
  const signal = AbortSignal.timeout(5000);
  signal.addEventListener('abort', () => socket.destroy());
  await promise;
  assert.ok(!signal.aborted, 'the server neither answered nor hung up');
  socket.destroy();
  return got;
}

const framed = (bytes: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
};

test('a request is answered', async () => {
  assert.deepEqual(await status(), { name: 'beta', role: 'standby' });
});

test('whoever is not paired is told so, and nothing of what it says is read', async () => {
  const asked = mock.method(handled, 'asked');
  const stranger = secureOptions(identityOf(newSecret()));
  for (const options of [stranger, {}]) {
    const answers = await say(encodeRequest(1, 'status', {}), undefined, open(options));
    assert.deepEqual(
      answers.map(({ id, error }) => [id, error?.code]),
      [[0, 'strangerRefused']],
    );
    await closed(open(options).end(Buffer.alloc(500_000)).resume());
  }
  assert.equal(asked.mock.callCount(), 0);
  await assert.rejects(
    ask(
      { ...peer(), keys: { ...fakeOs, identity: identityOf(newSecret()) } },
      'status',
      {},
      { timeoutMs: 5000 },
    ),
    { code: 'strangerRefused', message: 'beta does not know the key of this OS.' },
  );
});

test('a certificate with the key of somebody else is not enough', async () => {
  const { cert } = secureOptions(fakeOs.identity);
  const { key } = secureOptions(identityOf(newSecret()));
  assert.throws(() => open({ ...secureOptions(fakeOs.identity), cert, key }), /key values mismatch/);
});

test('older TLS and plain text are hung up on without a word', async () => {
  const old = open({ ...secureOptions(fakeOs.identity), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
  await closed(old);
  assert.match(String(old.errored), /protocol version/);
  const text = openPlainly();
  const got: Buffer[] = [];
  text.on('data', (chunk: Buffer) => got.push(chunk));
  text.write(Buffer.concat([encodeRequest(1, 'status', {}), Buffer.from('GET / HTTP/1.1\r\n\r\n')]));
  await closed(text);
  assert.ok(Buffer.concat(got).length <= 7, 'an alert at most');
  assert.deepEqual(await status(), { name: 'beta', role: 'standby' });
});

test('nothing is said to a computer with another key, nor to one that is not paired', async () => {
  const heard: Buffer[] = [];
  const thief = createTlsServer({ ...secureOptions(identityOf(newSecret())), requestCert: true }, socket => {
    socket.on('data', (chunk: Buffer) => heard.push(chunk)).on('error', () => {});
  }).listen(0, host);
  await once(thief, 'listening');
  const { port: there } = thief.address() as AddressInfo;
  await assert.rejects(ask({ ...peer(), port: there }, 'status', {}, { timeoutMs: 5000 }), {
    code: 'wrongKey',
  });
  const keys = { ...fakeOs, pinOf: () => undefined };
  await assert.rejects(ask({ ...peer(), port: there, keys }, 'status', {}, { timeoutMs: 5000 }), {
    code: 'notPaired',
    message: 'This OS is not paired with beta.',
    hint: 'at beta: yado accept; here: yado pair beta',
  });
  thief.close();
  await once(thief, 'close');
  assert.equal(Buffer.concat(heard).length, 0);
});

test('what is no agent of this version is named', async () => {
  const other = createServer(socket => socket.on('error', () => {}).end('220 mail.example ESMTP\r\n'));
  other.listen(0, host);
  await once(other, 'listening');
  const { port: there } = other.address() as AddressInfo;
  await assert.rejects(ask({ ...peer(), port: there }, 'status', {}, { timeoutMs: 5000 }), {
    code: 'notSecure',
    message:
      /^What answers at 127.0.0.1:\d+, where beta should be, does not speak TLS as Yadokari does: [a-z ]+\.$/,
  });
  other.close();
});

test('an OS asks for itself only', async () => {
  await assert.rejects(
    ask(peer(), 'device', { osId: 'lobster', device: 'disk0', epoch: 1 }, { timeoutMs: 5000 }),
    {
      code: 'notItsOwner',
      message: 'beta knows this key as that of the OS crab; what came is for lobster.',
    },
  );
});

test('several requests on one connection are each answered under their id', async () => {
  const bytes = Buffer.concat([7, 8, 9].map(id => encodeRequest(id, 'status', {})));
  assert.deepEqual((await say(bytes, 3)).map(each => each.id).toSorted(), [7, 8, 9]);
});

test('after a message that is none, nothing more is answered', async () => {
  const status = encodeRequest(7, 'status', {});
  const answers = await say(Buffer.concat([status, framed(Buffer.alloc(0)), status, status]));
  assert.deepEqual(
    answers.map(({ id, error }) => [id, error?.code]),
    [
      [7, undefined],
      [0, 'badRequest'],
    ],
  );
});

test('a peer that asks without reading is made to wait, and is answered in order when it reads', async () => {
  const enough = 200_000; // their answers are more than all buffers between the two hold
  const socket = open();
  const reader = new MessageReader();
  const device = 'x'.repeat(900); // the answer repeats it
  let asked = 0;
  let waiting = false;
  while (asked < enough && !waiting) {
    const ids = Array.from({ length: 100 }, () => ++asked);
    const more = socket.write(
      Buffer.concat(ids.map(id => encodeRequest(id, 'device', { osId: 'crab', device, epoch: 1 }))),
    );
    if (more) continue;
    const signal = AbortSignal.timeout(1000);
    waiting = await once(socket, 'drain', { signal }).then(
      () => false,
      () => true,
    );
  }
  assert.ok(waiting, `${asked} requests were taken from a peer that reads no answer`);
  assert.equal((await status()).role, 'standby'); // others are served meanwhile
  let answered = 0;
  for await (const chunk of socket) {
    for (const message of reader.push(chunk as Buffer)) assert.equal(decodeAnswer(message).id, ++answered);
    if (answered === asked) break;
  }
  assert.equal(answered, asked);
});

test('errors cross the wire with code, sentence and hint', async () => {
  await assert.rejects(ask(peer(), 'device', { osId: 'crab', device: 'x', epoch: 1 }, { timeoutMs: 5000 }), {
    code: 'unknownDevice',
    message: 'There is no device x on beta.',
    hint: 'yado devices',
  });
  await assert.rejects(
    ask(peer(), 'device', { osId: 'crab', device: 'broken', epoch: 1 }, { timeoutMs: 5000 }),
    {
      code: 'internal',
    },
  );
  await assert.rejects(ask(peer(), 'standby', {}, { timeoutMs: 5000 }), {
    code: 'notInThisRole',
    message: 'beta does not answer "standby" in its present role.',
  });
});

test('bad input is answered with a sentence and a hint', async () => {
  const good = { version: protocolVersion, id: 5, type: 'status', body: {} };
  const cases: [what: string, bytes: Buffer, code: string][] = [
    ['garbage', framed(Buffer.from('GET / HTTP/1.1\r\n')), 'badRequest'],
    [
      'HTTP, whose first bytes are a length beyond all limits',
      Buffer.from('GET / HTTP/1.1\r\n'),
      'badRequest',
    ],
    ['an empty message', framed(Buffer.alloc(0)), 'badRequest'],
    ['too long', framed(Buffer.alloc(maxControlBytes + 1)), 'badRequest'],
    ['another version', framed(encode({ ...good, version: 99 })), 'versionMismatch'],
    ['an unknown type', framed(encode({ ...good, type: 'explode' })), 'badRequest'],
    ['a name that every object has', framed(encode({ ...good, type: 'constructor' })), 'badRequest'],
    [
      'what it does not do in its role',
      framed(
        encode({
          ...good,
          type: 'lend',
          body: { osId: 'crab', device: 'display0', class: 'display', epoch: 1 },
        }),
      ),
      'notInThisRole',
    ],
    ['an unknown field', framed(encode({ ...good, body: { more: 1 } })), 'badRequest'],
    ['a body that is missing', framed(encode({ ...good, type: 'device' })), 'badRequest'],
    ['a long list of nothing', framed(Buffer.alloc(50_000, 0x81)), 'badRequest'],
  ];
  for (const [what, bytes, code] of cases) {
    const [answer] = await say(bytes, 1);
    assert.equal(answer?.error?.code, code, what);
    assert.ok(answer.error.hint.length > 3, what);
    assert.match(answer.error.message, /\.$/, what);
  }
  assert.deepEqual(await status(), { name: 'beta', role: 'standby' });
});

test('a message that breaks off changes nothing', async () => {
  const whole = encodeRequest(1, 'status', {});
  for (let length = 0; length < whole.length; length++) {
    const socket = open();
    socket.end(whole.subarray(0, length));
    socket.resume();
    await closed(socket);
  }
  assert.equal((await status()).role, 'standby');
});

test('an answer that has no one to go to any more', async () => {
  slow = Promise.withResolvers();
  const socket = open();
  socket.write(encodeRequest(1, 'cancel', {}));
  await status(); // by now the request has been read
  socket.destroy();
  await closed(socket);
  slow.resolve({});
  assert.equal((await status()).role, 'standby');
});

test('10 000 random messages: it goes on, and every answer is one', async () => {
  const types = fc.oneof(fc.string(), fc.constantFrom(...Object.keys(controlRequests)));
  const envelope = fc
    .record(
      { version: fc.constant(protocolVersion), id: fc.nat(), type: types, body: fc.object() },
      { noNullPrototype: true },
    )
    .filter(({ type }) => type !== 'cancel')
    .map(value => {
      try {
        return Buffer.from(encode(value));
      } catch {
        return Buffer.alloc(1); // a value that CBOR has no form for
      }
    });
  const message = fc.oneof(fc.uint8Array({ maxLength: 60 }), envelope, envelope);
  const inputs = fc.sample(fc.tuple(fc.array(message, { minLength: 10, maxLength: 10 }), fc.boolean()), 1000);
  for (const [messages, raw] of inputs) {
    const socket = open();
    const reader = new MessageReader();
    socket.on('data', (chunk: Buffer) => {
      for (const answer of reader.push(chunk)) {
        const { error, body } = decodeAnswer(answer);
        assert.ok(body !== undefined || (error && error.hint !== ''));
      }
    });
    socket.end(Buffer.concat(raw ? messages.map(each => Buffer.from(each)) : messages.map(framed)));
    await closed(socket);
  }
  assert.equal((await status()).role, 'standby');
});

test('a crowd that says nothing does not keep out those who come after', async () => {
  const crowd = Array.from({ length: 40 }, openPlainly);
  await Promise.all(crowd.slice(0, 20).map(socket => once(socket, 'connect')));
  for (const socket of crowd) socket.destroy();
  await Promise.all(crowd.map(socket => closed(socket)));
  let answer: object | undefined;
  for (let turn = 0; turn < 50 && !answer; turn++)
    answer = await status().catch((error: unknown) => {
      assert.ok(error instanceof YadoError && error.code === 'unreachable');
      return undefined;
    });
  assert.ok(answer);
});

test('closing hangs up on everyone and frees the port', async () => {
  const socket = open();
  await once(socket, 'secureConnect');
  await status();
  await server.close();
  await closed(socket);
  await assert.rejects(status(), { code: 'unreachable' });
  await server.listen(host, port);
  assert.equal((await status()).role, 'standby');
});
