// The claim desk: every well-formed claim is refused with its own token, epoch and sequence; nothing else is answered.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { claim } from '#wire/frames.ts';
import { ClaimDesk, grantOf, refuse } from './claim-desk.ts';

const { offsets, kinds } = claim;

/** A claim as native/frozen/claim.c makes it. */
function claimOf(epoch: bigint, sequence: bigint, token: number): Buffer {
  const datagram = Buffer.alloc(144);
  datagram.write('YCLM', 0, 'latin1'); // magic 0x4d4c4359, little-endian
  datagram.writeUInt16LE(2, 4); // wire version
  datagram.writeUInt16LE(1, 6); // kind: claim
  datagram.writeBigUInt64LE(epoch, 8);
  datagram.writeBigUInt64LE(sequence, 16);
  datagram.fill(token, 32, 64);
  return datagram;
}

test('a claim is refused in its own words', () => {
  const question = claimOf(1_793_000_000n, 3n, 0xab);
  const answer = refuse(question);
  assert.ok(answer);
  const expected = Buffer.from(question);
  expected.writeUInt16LE(kinds.refuse, offsets.kind);
  assert.deepEqual(answer, expected);
  assert.equal(question.readUInt16LE(offsets.kind), kinds.claim); // the question is left as it was
});

test('answers, other versions and other lengths are not answered', () => {
  const question = claimOf(1n, 1n, 1);
  const changed = (offset: number, value: number): Buffer => {
    const bytes = Buffer.from(question);
    bytes.writeUInt16LE(value, offset);
    return bytes;
  };
  assert.equal(refuse(changed(offsets.kind, kinds.refuse)), undefined); // two desks would answer each other for ever
  assert.equal(refuse(changed(offsets.kind, kinds.grant)), undefined);
  assert.equal(refuse(changed(offsets.version, 1)), undefined);
  assert.equal(refuse(changed(offsets.magic, 0)), undefined);
  assert.equal(refuse(question.subarray(0, 143)), undefined);
  assert.equal(refuse(Buffer.concat([question, Buffer.alloc(1)])), undefined);
});

test('a ghost grants the claim that was granted, and no other', () => {
  const grant = grantOf(new Uint8Array(32).fill(0xab), 7, () => 5n);
  const answer = grant(claimOf(7n, 9n, 0xab));
  assert.equal(answer?.readUInt16LE(offsets.kind), kinds.grant);
  assert.equal(answer?.readBigUInt64LE(offsets.sequence), 9n);
  assert.equal(answer?.readBigUInt64LE(offsets.realtimeNs), 5n);
  assert.equal(grant(claimOf(8n, 9n, 0xab)), undefined);
  assert.equal(grant(claimOf(7n, 9n, 0xac)), undefined);
});

test('any datagram is refused or ignored, never granted', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, likely) => {
    const datagram = likely ? claimOf(2n, 2n, 2) : Buffer.from(bytes);
    if (likely) datagram.set(bytes.subarray(0, 60), 8);
    const answer = refuse(datagram);
    if (answer) assert.equal(answer.readUInt16LE(offsets.kind), kinds.refuse);
    else assert.ok(!likely);
  });
  fc.assert(property, { numRuns: 1000 });
});

test('over UDP: refused while open, silent and free again when closed', async () => {
  mock.method(console, 'log', () => {});
  const client = createSocket('udp4').bind(0, '127.0.0.1');
  await once(client, 'listening');
  const port = await freePort();
  const desk = new ClaimDesk();
  await desk.open('127.0.0.1', port);
  client.send(Buffer.from('garbage'), port, '127.0.0.1');
  client.send(claimOf(9n, 9n, 9), port, '127.0.0.1');
  const [answer] = (await once(client, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
  assert.equal(answer.readUInt16LE(offsets.kind), kinds.refuse);
  assert.equal(answer.readBigUInt64LE(offsets.sequence), 9n);
  await assert.rejects(new ClaimDesk().open('127.0.0.1', port), { code: 'EADDRINUSE' });
  await desk.close();
  await desk.open('127.0.0.1', port); // the frozen helper takes the port in between
  await desk.close();
  client.close();
});

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}
