// Somebody in the middle of the image (TCP 7402): whatever is done to it on the way, B restores nothing, says why, and can be
// asked again. Where the kernel of this machine does not encrypt, the same is done to frames in the clear, in which only
// a changed bit of the OS's own memory could not be noticed. Whoever has no key: native/frozen/encrypted.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { streamOf } from '#linux/byte-stream.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { cryptoInfo, encryptSocket } from '#linux/ktls.ts';
import { connectTcp } from '#linux/tcp.ts';
import { frameHeaderBytes, frameTypes } from '#wire/frames.ts';
import type { TargetJob } from '#wire/job.ts';
import { logOf } from '../../native/frozen/test/helpers.ts';
import { streamOf as framesOf, imagePages, patternPage } from '../../native/frozen/test/image.ts';
import { begin, mailboxPage, target } from '../../native/frozen/test/lone-target.ts';
import { hasTls } from '../../native/frozen/test/tls.ts';
import { attacks, type Change, type Cutter, relay, tlsRecord, unchanged } from './relay.ts';

const host = '127.0.0.1';
const frame: Cutter = bytes =>
  bytes.length < frameHeaderBytes ? undefined : frameHeaderBytes + bytes.readUInt32LE(4);
const count = 200;
const image = imagePages(
  Array.from({ length: count }, (_, index) => 0x100 + index),
  Array.from({ length: count }, (_, index) => (index === 77 ? mailboxPage : patternPage(index))),
);
const whole = Buffer.concat([begin, ...framesOf(image, 20)]);

function keysOf(fill: number): Partial<TargetJob> {
  if (!hasTls) return {};
  const { out, in: incoming } = tlsKeys(new Uint8Array(32).fill(fill), 'image', 'aes128gcm', 'server');
  return { plain: false, tls: { out: cryptoInfo(out), in: cryptoInfo(incoming) } };
}

/** B, and A's end of a connection to it through somebody in between. */
async function between(change: Change, fill = 0x51) {
  const b = await target({}, keysOf(fill));
  const middle = await relay({ host, port: 0 }, { host, port: b.port }, hasTls ? tlsRecord : frame, change);
  const socket = await connectTcp({ ip: host, port: middle.port }, 2000);
  if (hasTls)
    encryptSocket(socket.fd, tlsKeys(new Uint8Array(32).fill(fill), 'image', 'aes128gcm', 'client'));
  return {
    ...{ b, middle, stream: streamOf(socket.fd, 5000, 'an image', undefined) },
    async [Symbol.asyncDispose]() {
      socket[Symbol.dispose]();
      await middle[Symbol.asyncDispose]();
      await b[Symbol.asyncDispose]();
    },
  };
}

// The first unit is BEGIN, under TLS in one piece with what follows it; the third is in the middle of the image.
const table = hasTls ? attacks(2, 3, 2) : attacks(2, 4, 4);
for (const [what, attack] of Object.entries(table)) {
  if (what === 'bit-flipped' && !hasTls) continue;
  test(`image ${what} on the way: it is dropped, and why is told`, async () => {
    await using it = await between(attack());
    await it.stream.write(whole).catch(() => {}); // B may have hung up
    const report = await it.b.helper.report;
    const reason = hasTls ? 'tampered' : 'protocol';
    assert.deepEqual(
      [report.outcome, report.reason],
      ['discarded', what === 'truncated' ? 'linkLost' : reason],
    );
    assert.deepEqual(logOf(it.b.folder), []); // nothing was frozen or restored
  });
}

test('image as it is: it gets through', async () => {
  await using it = await between(unchanged);
  await it.stream.write(whole);
  const ready = await it.stream.read(frameHeaderBytes);
  assert.equal(ready.readUInt8(3), frameTypes.ready.number);
});

if (hasTls)
  test('image that was recorded and is played again: it is not heard', async () => {
    let recorded = Buffer.alloc(0);
    {
      await using it = await between(unchanged);
      await it.stream.write(whole);
      await it.stream.read(frameHeaderBytes);
      recorded = Buffer.concat(it.middle.recorded);
    }
    assert.ok(recorded.length > whole.length && !recorded.includes(begin));
    await using b = await target({}, keysOf(0x53));
    const again = await connectTcp({ ip: host, port: b.port }, 2000);
    const stream = streamOf(again.fd, 5000, 'an image of before', undefined);
    await stream.write(recorded).catch(() => {});
    await assert.rejects(stream.read(1));
    again[Symbol.dispose]();
    assert.deepEqual(logOf(b.folder), []);
  });
