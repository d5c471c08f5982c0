// What programs of this computer say: requests to the local API, and to a device that is served here (CUSE).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiPaths } from '#core/api.ts';
import { C } from '#linux/abi.ts';
import { CuseDevice } from '#linux/cuse-device.ts';
import { fcntl, read, socketPair, write } from '#linux/ffi.ts';
import { cuseBufferBytes, fuseOpcodes } from '#linux/fuse-messages.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { FormatError, SystemError } from '#linux/system-error.ts';
import { ApiServer } from '../../src/agent/api-server.ts';
import { mutate, mutateParts } from './mutate.ts';
import type { Random } from './random.ts';
import type { Session, Target } from './target.ts';

// --- the local API ---

const body = Buffer.from('{"to":"beta","dryRun":true,"acceptRisks":["a"]}');
const calls = Object.values(apiPaths)
  .filter(path => path !== apiPaths.events)
  .map(path => [
    Buffer.from(`${path} HTTP/1.1\r\nHost: x\r\n`),
    Buffer.from(`Content-Length: ${body.length}\r\n`),
    Buffer.from('\r\n'),
    body,
  ]);
const conversations = [calls.flat(), ...calls];

async function apiSession(): Promise<Session> {
  const folder = mkdtempSync(join(tmpdir(), 'yado-fuzz-'));
  const path = join(folder, 'api.sock');
  const server = new ApiServer({
    status: () => ({ role: 'active' }),
    migrate: async () => ({ status: 202, body: { id: '1' } }),
    standby: () => ({}),
    lend: () => ({}),
    return: () => ({}),
  });
  await server.listen(path);
  /** Everything that comes back until it hangs up, or has had time enough to. */
  const say = async (bytes: Buffer): Promise<string> => {
    const socket = connect({ path, allowHalfOpen: true });
    let said = '';
    socket
      .on('error', () => {})
      .on('data', chunk => {
        said += String(chunk);
      });
    const over = new Promise<void>(resolve => socket.once('close', () => resolve()));
    socket.on('end', () => socket.end());
    socket.end(bytes);
    await Promise.race([over, sleep(5000, undefined, { ref: false })]);
    socket.destroy();
    return said;
  };
  return {
    attempt: async inputs => {
      for (const said of await Promise.all(inputs.map(say))) assert.doesNotMatch(said, /"code":"internal"/);
      const said = await say(Buffer.from('GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'));
      assert.match(said, /^HTTP\/1\.1 200 /);
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// --- a device ---

const lastUnique = 0x7777_7777n;

function request(opcode: number, unique: bigint, content: Buffer): Buffer {
  const head = Buffer.alloc(40);
  head.writeUInt32LE(40 + content.length, 0);
  head.writeUInt32LE(opcode, 4);
  head.writeBigUInt64LE(unique, 8);
  return Buffer.concat([head, content]);
}
const written = Buffer.alloc(50, 1);
written.writeUInt32LE(10, 16);
const { cuseInit, ...opcodes } = fuseOpcodes;
const requests = [
  ...Object.values(opcodes).map((opcode, index) => request(opcode, BigInt(index + 1), Buffer.alloc(40))),
  request(opcodes.write, 99n, written),
];

/** Requests one behind the other, a u32 length before each: every one is a read of its own. */
const makeRequests = (random: Random): Buffer =>
  Buffer.concat(
    mutateParts(random, [requests, ...requests.map(each => [each])]).flatMap(each => {
      const bytes = each.subarray(0, 4096);
      const head = Buffer.alloc(4);
      head.writeUInt32LE(bytes.length);
      return bytes.length > 0 ? [head, bytes] : [];
    }),
  );

/** The device answers on, or has ended because of a request that cannot be one. */
async function useDevice(input: Buffer): Promise<void> {
  const [kernelFd, theirs] = socketPair(C.SOCK_SEQPACKET);
  using kernel = new OwnedFd(kernelFd);
  for (const fd of [kernel.fd, theirs]) fcntl(fd, C.F_SETFL, C.O_NONBLOCK);
  let ended: unknown;
  let room = 64;
  write(kernel.fd, request(cuseInit, 1n, Buffer.alloc(16)));
  const handlers = {
    open: () => 0,
    release: () => {},
    write: (data: Uint8Array) => {
      const count = Math.min(room, data.length);
      room -= count;
      return count;
    },
    hasRoom: () => room > 0,
    read: () => new Uint8Array(0),
    ioctl: (command: number) => (command === 0 ? Buffer.from('four') : undefined),
    failed: (error: unknown) => {
      throw error; // none of these does: whatever comes is an answer
    },
  };
  const failed = (error: unknown): void => {
    ended = error;
  };
  using device = await CuseDevice.serve('usb/lp0', handlers, failed, () => theirs);
  const buffer = Buffer.alloc(cuseBufferBytes);
  const said = (): Buffer | undefined => {
    try {
      return buffer.subarray(0, read(kernel.fd, buffer));
    } catch (error) {
      if (error instanceof SystemError && error.code === 'EAGAIN') return undefined;
      throw error;
    }
  };
  const ask = async (bytes: Buffer): Promise<void> => {
    for (let tries = 0; ended === undefined; tries++) {
      try {
        write(kernel.fd, bytes);
        return;
      } catch (error) {
        if (!(error instanceof SystemError && error.code === 'EAGAIN') || tries > 10_000) throw error;
        while (said()) {} // answers that nobody takes hold it up
        await sleep(1);
      }
    }
  };
  for (let at = 0; at + 4 <= input.length; ) {
    const end = at + 4 + input.readUInt32LE(at);
    await ask(input.subarray(at + 4, end));
    at = end;
  }
  await ask(request(opcodes.flush, lastUnique, Buffer.alloc(24)));
  for (const until = performance.now() + 10_000; ended === undefined; ) {
    const answer = said();
    if (answer && answer.length >= 16 && answer.readBigUInt64LE(8) === lastUnique) break;
    assert.ok(performance.now() < until, 'it does not answer any more');
    if (!answer) await sleep(1);
  }
  if (ended !== undefined && !(ended instanceof FormatError)) throw ended;
  device.roomAgain();
}

export const localTargets: readonly Target[] = [
  {
    name: 'local-api',
    about: 'requests to the API of the agent, from this computer',
    batch: 8,
    make: random => mutate(random, conversations).subarray(0, 256 << 10),
    open: apiSession,
  },
  {
    name: 'cuse-device',
    about: 'a device that is served here, by what programs ask of it',
    batch: 8,
    make: makeRequests,
    open: () => ({
      attempt: async inputs => {
        for (const input of inputs) await useDevice(input);
      },
      [Symbol.asyncDispose]: async () => {},
    }),
  },
];
