// The control port from both sides, over real sockets on the loopback: the agent that is asked, and the one that asks.
// Whatever comes, the other one gets a refusal that can be read, or the connection ends; the next question is answered.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { zstdCompressSync } from 'node:zlib';
import { encode } from 'cborg';
import fc from 'fast-check';
import { lendableClasses } from '#core/device-class.ts';
import { isErrorCode } from '#core/errors.ts';
import type { DisplayDriver } from '#devices/display/driver.ts';
import { DisplayService } from '#devices/display/service.ts';
import { ask } from '#managers/control-client.ts';
import { ControlSession } from '#managers/control-session.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { secureOptions } from '#managers/secure-socket.ts';
import {
  type ControlRequest,
  type ControlType,
  decodeAnswer,
  encodeAnswer,
  encodeErrorAnswer,
  encodeRequest,
  MessageReader,
  protocolVersion,
} from '#wire/control.ts';
import { ControlServer } from '../../src/agent/control-server.ts';
import { deviceHandlers } from '../../src/agent/device-handlers.ts';
import { DevicesLeft } from '../../src/agent/left-behind.ts';
import { LentDevices } from '../../src/agent/lent-devices.ts';
import type { DiskLeft } from '../../src/devices/disk/service.ts';
import { type LendableList, loadServices } from '../../src/managers/service-list.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { mustBeRefusal, type Session, type Target } from './target.ts';

const host = '127.0.0.1';
const lateMs = 60_000;
/** Of requests in a row; a single one may be as long as one can be. */
const mostBytes = 128 << 10;
const os = { osId: 'crab', device: 'disk0', epoch: 7 };
const who = { device: 'display0', epoch: 7 };
const requests: { readonly [T in ControlType]: ControlRequest<T> } = {
  describe: {},
  prepare: {
    osId: 'crab',
    epoch: 8,
    secret: new Uint8Array(32),
    cipher: 'aes128gcm',
    imageBytes: 1 << 28,
    kept: ['0000:00:05.0'],
    source: 'a',
    isForeign: true,
    sourceAddress: '10.77.0.1',
  },
  cancel: {},
  ended: { osId: 'crab', epoch: 8, how: 'restart' },
  alive: { osId: 'crab', epoch: 8, computer: 'b', address: '10.77.0.2' },
  device: os,
  diskHashes: { ...os, start: 0, bytes: 1 << 20 },
  diskReleased: os,
  diskLook: { osId: 'crab', disk: 'virtio-spare', place: { pciAddress: '0000:00:06.0', unit: 0 } },
  print: { ...os, first: 0, delivered: 0, data: new Uint8Array(40), hold: false },
  lend: { osId: 'crab', device: 'display0', class: 'display', epoch: 7 },
  giveBack: who,
  screen: { ...who, width: 640, height: 480, bitsPerPixel: 32 },
  draw: {
    ...who,
    rects: [{ x: 0, y: 0, width: 8, height: 8, data: zstdCompressSync(Buffer.alloc(256, 7)) }],
  },
  keys: { ...who, waitMs: 0, leds: 0 },
  standby: {},
  whereIs: { osId: 'crab', epoch: 8 },
  status: {},
};
const types = Object.keys(requests) as ControlType[];
const recorded = types.map((type, index) => encodeRequest(index + 1, type, requests[type]));
const told = (...names: ControlType[]): Buffer[] => names.map(name => recorded[types.indexOf(name)]!);
const lent = told('lend', 'screen', 'draw', 'draw', 'giveBack');
const conversations = [recorded, lent, lent, ...recorded.map(each => [each])];

const things = fc.anything({ withTypedArray: true, withBigInt: true, maxDepth: 4 });
const sample = <T>(random: Random, arbitrary: fc.Arbitrary<T>): T =>
  fc.sample(arbitrary, { seed: random.next() | 0, numRuns: 1 })[0] as T;

function framed(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(bytes.length);
  return Buffer.concat([head, bytes]);
}

/** What CBOR cannot hold stays away. */
function cbor(value: unknown): Buffer {
  try {
    return framed(encode(value));
  } catch {
    return framed(encode(null));
  }
}

/** As many of something in something else as fit into a message: what is cheap to send and dear to refuse. */
function bomb(random: Random): unknown {
  const count = 1 << random.below(19);
  switch (random.below(4)) {
    case 0:
      return Array.from({ length: count }, () => random.pick([0, '', null, {}] as const));
    case 1:
      return Object.fromEntries(Array.from({ length: count >> 2 }, (_, index) => [String(index), 0]));
    case 2:
      return 'x'.repeat(count);
    default: {
      let deep: unknown = 0;
      for (let left = Math.min(count, 5000); left > 0; left--) deep = [deep];
      return deep;
    }
  }
}

/** A message as it should be, except for one field of its body. */
function oneFieldWrong(random: Random, envelope: object, body: object): Buffer {
  const wrong = random.oneIn(3) ? bomb(random) : sample(random, things);
  const field = random.pick([...Object.keys(body), 'another', '__proto__']);
  return cbor({
    ...envelope,
    body: random.oneIn(4) ? wrong : Object.fromEntries([...Object.entries(body), [field, wrong]]),
  });
}

function makeRequests(random: Random): Buffer {
  if (random.oneIn(2)) return mutate(random, conversations).subarray(0, mostBytes);
  const type = random.pick(types);
  const wrong = oneFieldWrong(random, { version: protocolVersion, id: 1, type }, requests[type]);
  return Buffer.concat(random.oneIn(2) ? [...lent.slice(0, 3), wrong] : [wrong]);
}

/** Shows nothing. */
const screen: DisplayDriver = {
  typeName: 'screen',
  configure: async () => ({ mode: '640x480', conversion: 'none' }),
  draw: async (bytes, rects) => {
    for (const { x, y, width, height } of rects) assert.ok((x + width) * (y + height) <= bytes.length);
  },
  check: async () => {},
  [Symbol.asyncDispose]: async () => {},
};

/** The roles an agent has are not all there at once; here they are, without a device behind them. */
async function listen(): Promise<{ server: ControlServer; port: number }> {
  const none = async (): Promise<never> => {
    throw new Error('there is none');
  };
  const display = async () => ({ typeName: 'screen', service: new DisplayService(screen) });
  const services = await loadServices();
  const list = Object.fromEntries(
    lendableClasses.map(name => [name, { lend: { ...services[name].lend, open: none } }]),
  ) as unknown as LendableList;
  const classes = { ...list, display: { lend: { ...services.display.lend, open: display } } };
  const lent = new LentDevices(
    'beta',
    1e6,
    async () => {},
    () => {},
    classes,
  );
  const disk0: DiskLeft = {
    kind: 'disk',
    device: 'disk0',
    place: { pciAddress: '0000:00:06.0', identity: '0123456789abcdef' },
  };
  const left = new DevicesLeft(
    { osId: 'crab', epoch: 7, behind: [disk0] },
    { name: 'beta', address: host },
    'aes128gcm',
    services,
  );
  const server = new ControlServer(
    () => 'beta',
    {
      ...deviceHandlers(left, lent),
      status: () => ({ name: 'beta', role: 'standby' }),
      prepare: () => ({
        port: 7402,
        parkBytes: 0,
        keys: { secret: 'A'.repeat(43), owners: [] },
        tagSeed: new Uint8Array(),
      }),
      cancel: () => ({}),
      alive: () => ({}),
      standby: () => ({}),
    },
    fakeComputer,
  );
  for (;;) {
    const probe = createServer().listen(0, host);
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    await new Promise(resolve => probe.close(resolve));
    try {
      await server.listen(host, port);
      return { server, port };
    } catch {} // somebody else was quicker
  }
}

/** Says it all, hangs up, and looks at what came back. */
async function say(port: number, bytes: Buffer): Promise<void> {
  const socket = connect({ host, port, ...secureOptions(fakeOs.identity) });
  const reader = new MessageReader();
  const answers: Buffer[] = [];
  let broken: unknown;
  socket.on('error', () => {}); // it may hang up on us
  socket.on('data', (chunk: Buffer) => {
    try {
      answers.push(...reader.push(chunk));
    } catch (error) {
      broken = error;
      socket.destroy();
    }
  });
  const over = new Promise<void>(resolve => socket.once('close', () => resolve()));
  const late = setTimeout(() => socket.destroy(new Error('late')), lateMs);
  socket.on('end', () => socket.end());
  socket.end(bytes);
  await over;
  clearTimeout(late);
  if (broken) throw broken;
  assert.notEqual(socket.errored?.message, 'late', 'it neither answered nor hung up');
  for (const answer of answers) {
    const { error } = decodeAnswer(answer);
    if (!error) continue;
    assert.ok(isErrorCode(error.code), `the unknown error ${error.code}`);
    assert.notEqual(error.code, 'internal', error.message);
  }
}

async function serverSession(): Promise<Session> {
  const { server, port } = await listen();
  return {
    attempt: async inputs => {
      await Promise.all(inputs.map(input => say(port, input)));
      const status = await ask(
        { name: 'beta', ip: host, port, keys: fakeOs },
        'status',
        {},
        { timeoutMs: 10_000 },
      );
      assert.equal(status.name, 'beta');
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const goodAnswers = [
  encodeAnswer(1, { name: 'b', role: 'standby' }),
  encodeAnswer(2, {
    ...{ ready: true, exportName: 'crab-disk0-7', port: 10_809 },
    ...{ secret: new Uint8Array(32), cipher: 'aes128gcm' },
  }),
];
const answerSets = [
  goodAnswers,
  [encodeErrorAnswer(1, { code: 'busy', message: 'b is busy.', hint: 'yado wait' }), goodAnswers[1]!],
  [encodeErrorAnswer(0, { code: 'unheardOf', message: 'no.', hint: 'none' })],
  [goodAnswers[0]!, encodeAnswer(2, { ready: 'yes' })],
];

function makeAnswers(random: Random): Buffer {
  if (random.oneIn(2)) return mutate(random, answerSets);
  const body = random.oneIn(2)
    ? { name: 'b', role: 'standby' }
    : { code: 'busy', message: 'b is busy.', hint: '' };
  return oneFieldWrong(random, { version: protocolVersion, id: random.below(3) }, body);
}

/** A peer that says what the input is, whatever it is asked, and hangs up. */
async function clientSession(): Promise<Session> {
  let saying = Buffer.alloc(0);
  const peers = new Set<TLSSocket>();
  const server = createTlsServer(secureOptions(fakeComputer().identity), socket => {
    peers.add(socket);
    socket.on('error', () => {}).on('close', () => peers.delete(socket));
    socket.once('data', () => socket.end(saying));
  }).listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    attempt: async inputs => {
      for (const input of inputs) {
        saying = Buffer.from(input);
        using session = new ControlSession({ name: 'b', ip: host, port, keys: fakeOs });
        const options = { timeoutMs: 10_000 };
        const asked = [session.ask('status', {}, options), session.ask('device', os, options)];
        for (const result of await Promise.allSettled(asked))
          if (result.status === 'rejected') mustBeRefusalOf(result.reason);
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const peer of peers) peer.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** A peer may say itself that something is wrong inside it. */
function mustBeRefusalOf(error: unknown): void {
  const isTheirs = error instanceof Error && 'code' in error && error.code === 'internal';
  if (!isTheirs) mustBeRefusal(error);
}

export const controlTargets: readonly Target[] = [
  {
    name: 'control-server',
    about: 'requests to the control port of an agent',
    batch: 8,
    make: makeRequests,
    open: serverSession,
  },
  {
    name: 'control-client',
    about: 'answers of another agent',
    batch: 8,
    make: makeAnswers,
    open: clientSession,
  },
];
