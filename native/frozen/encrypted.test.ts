// The stream of a move under keys: whoever has none gets nowhere. On a kernel without TLS a job with keys ends: nothing is
// taken in the clear instead. Whole moves: move.test.ts; somebody in the middle: test/attack/image.test.ts.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { streamOf } from '#linux/byte-stream.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { cryptoInfo, encryptSocket } from '#linux/ktls.ts';
import type { OwnedFd } from '#linux/owned-fd.ts';
import { connectTcp } from '#linux/tcp.ts';
import { frameHeaderBytes, frameTypes } from '#wire/frames.ts';
import { encodeSourceJob, type TlsOfStream } from '#wire/job.ts';
import { logOf, startFake } from './test/helpers.ts';
import { streamOf as framesOf } from './test/image.ts';
import { begin, closed, job, pages, program, root, target, token } from './test/lone-target.ts';
import { hasTls } from './test/tls.ts';

const host = '127.0.0.1';
const secret = new Uint8Array(32).fill(0x51);
const server = tlsKeys(secret, 'image', 'aes128gcm', 'server');
const keys: { readonly plain: false; readonly tls: TlsOfStream } = {
  plain: false,
  tls: { out: cryptoInfo(server.out), in: cryptoInfo(server.in) },
};
const whole = Buffer.concat([begin, ...framesOf(pages)]);

async function connected(port: number, withSecret = secret): Promise<OwnedFd> {
  const socket = await connectTcp({ ip: host, port }, 2000);
  encryptSocket(socket.fd, tlsKeys(withSecret, 'image', 'aes128gcm', 'client'));
  return socket;
}

/** In the clear: what a stranger gets back before it is hung up on. */
async function shouted(port: number, bytes: Buffer): Promise<number> {
  const socket = connect(port, host);
  let got = 0;
  socket.on('error', () => {});
  socket.on('data', chunk => {
    got += chunk.length;
  });
  socket.write(bytes);
  await closed(socket);
  return got;
}

test('a source says nothing on a stream that is not encrypted', async () => {
  const peer = createServer();
  await new Promise<void>(resolve => peer.listen(0, host, resolve));
  const address = peer.address();
  assert.ok(address && typeof address === 'object');
  const heard = new Promise<number>(resolve =>
    peer.once('connection', socket => {
      let bytes = 0;
      socket.on('data', chunk => {
        bytes += chunk.length;
      });
      socket.on('close', () => resolve(bytes));
    }),
  );
  const stream = await connectTcp({ ip: host, port: address.port }, 2000);
  const folder = mkdtempSync(join(root, 'run-'));
  const plan = { leave: [], serve: [], back: [], arrive: [], adopt: [] };
  const source = encodeSourceJob({
    ...{ epoch: job.epoch, token, timeouts: { ...job.timeouts, claimMs: 1000 }, faults: [] },
    ...{
      claimKey: token,
      tagSeed: new Uint8Array(),
      pastClaims: [],
      claimAddress: host,
      claimPort: 1,
      copyInterface: 'lo',
    },
    ...{ copyAddress: host, ghostArgv: ['/bin/false'], memory: [], givenUp: [], parkPages: 0, plans: plan },
  });
  await using helper = startFake('A', { program, folder, job: source, streamFd: stream.fd });
  const report = await helper.report;
  assert.deepEqual([report.outcome, report.text], ['badJob', 'the stream is not encrypted']);
  stream[Symbol.dispose]();
  assert.equal(await heard, 0);
  assert.deepEqual(logOf(folder), []); // nothing was frozen
  peer.close();
});

if (hasTls) {
  test('only who has the key is heard; strangers hear nothing', async () => {
    await using b = await target({}, keys);
    assert.equal(await shouted(b.port, whole), 0);
    assert.equal(await shouted(b.port, Buffer.alloc(200, 0x17)), 0);
    {
      using other = await connected(b.port, new Uint8Array(32).fill(0x52));
      const stream = streamOf(other.fd, 5000, 'a wrong key');
      await stream.write(whole);
      await assert.rejects(stream.read(1));
    }
    using socket = await connected(b.port);
    const stream = streamOf(socket.fd, 5000, 'the right key');
    await stream.write(whole);
    const ready = await stream.read(frameHeaderBytes);
    assert.equal(ready.readUInt8(3), frameTypes.ready.number);
  });
} else {
  test('a kernel without TLS takes nothing in the clear instead', async () => {
    await using b = await target({}, keys);
    await shouted(b.port, whole);
    const report = await b.helper.report;
    assert.deepEqual([report.outcome, report.reason], ['discarded', 'protocol']);
    assert.match(report.text, /does not encrypt/);
    await assert.rejects(connected((await target({}, keys)).port), { code: 'ENOENT' });
  });
}
