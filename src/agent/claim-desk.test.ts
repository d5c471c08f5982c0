// The claim desk: the copy of a known move is refused with its own epoch and sequence, signed with the key of that move;
// nobody else is answered, and nobody else could have made the answer.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { claim } from '#wire/frames.ts';
import { ClaimDesk, grantOf, refusalOf } from './claim-desk.ts';
import { isSignedClaim, signClaim } from './claim-mac.ts';

const { offsets, kinds } = claim;
const key = new Uint8Array(32).fill(0xab);
const otherKey = new Uint8Array(32).fill(0xac);
const refuse = refusalOf(epoch => (epoch === 7n ? key : epoch === 6n ? otherKey : undefined));

/** A claim as native/frozen/claim.c makes it. */
function claimOf(epoch: bigint, sequence: bigint, signedWith: Uint8Array): Buffer {
  const datagram = Buffer.alloc(144);
  datagram.write('YCLM', 0, 'latin1'); // magic 0x4d4c4359, little-endian
  datagram.writeUInt16LE(3, 4); // wire version
  datagram.writeUInt16LE(1, 6); // kind: claim
  datagram.writeBigUInt64LE(epoch, 8);
  datagram.writeBigUInt64LE(sequence, 16);
  signClaim(signedWith, datagram);
  return datagram;
}

test('a claim is refused in its own words, with a MAC of its own', () => {
  const question = claimOf(7n, 3n, key);
  const answer = refuse(question);
  assert.ok(answer);
  const expected = Buffer.from(question);
  expected.writeUInt16LE(kinds.refuse, offsets.kind);
  signClaim(key, expected);
  assert.deepEqual(answer, expected);
  assert.notDeepEqual(answer.subarray(32, 64), question.subarray(32, 64)); // the question's says nothing of an answer
  assert.equal(question.readUInt16LE(offsets.kind), kinds.claim); // the question is left as it was
});

test('a copy of each known move is answered with the key of its own move only', () => {
  assert.ok(refuse(claimOf(6n, 1n, otherKey)));
  assert.equal(refuse(claimOf(6n, 1n, key)), undefined);
  assert.equal(refuse(claimOf(7n, 1n, otherKey)), undefined);
  assert.equal(refuse(claimOf(5n, 1n, key)), undefined);
});

test('answers, other versions and other lengths are not answered', () => {
  const question = claimOf(7n, 1n, key);
  const changed = (offset: number, value: number): Buffer => {
    const bytes = Buffer.from(question);
    bytes.writeUInt16LE(value, offset);
    signClaim(key, bytes);
    return bytes;
  };
  assert.equal(refuse(changed(offsets.kind, kinds.refuse)), undefined); // two desks would answer each other for ever
  assert.equal(refuse(changed(offsets.kind, kinds.grant)), undefined);
  assert.equal(refuse(changed(offsets.version, 2)), undefined);
  assert.equal(refuse(changed(offsets.magic, 0)), undefined);
  assert.equal(refuse(question.subarray(0, 143)), undefined);
  assert.equal(refuse(Buffer.concat([question, Buffer.alloc(1)])), undefined);
});

test('one bit changed: no answer', () => {
  const question = claimOf(7n, 1n, key);
  for (let bit = 0; bit < question.length * 8; bit++) {
    const changed = Buffer.from(question);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    assert.equal(refuse(changed), undefined, `bit ${bit}`);
  }
});

test('a ghost grants the claim that was granted, and no other', () => {
  const grant = grantOf(key, 7, () => 5n);
  const answer = grant(claimOf(7n, 9n, key));
  assert.equal(answer?.readUInt16LE(offsets.kind), kinds.grant);
  assert.equal(answer?.readBigUInt64LE(offsets.sequence), 9n);
  assert.equal(answer?.readBigUInt64LE(offsets.realtimeNs), 5n);
  assert.ok(answer && isSignedClaim(key, answer));
  assert.equal(grant(claimOf(8n, 9n, key)), undefined);
  assert.equal(grant(claimOf(7n, 9n, otherKey)), undefined);
});

test('any datagram is refused or ignored, never granted', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, likely) => {
    const datagram = likely ? claimOf(7n, 2n, key) : Buffer.from(bytes);
    if (likely) datagram.set(bytes.subarray(0, 60), 8);
    const isSigned = datagram.length === claim.bytes && isSignedClaim(key, datagram);
    const answer = refuse(datagram);
    if (answer) assert.equal(answer.readUInt16LE(offsets.kind), kinds.refuse);
    else assert.ok(!isSigned || datagram.readBigUInt64LE(offsets.epoch) !== 7n);
  });
  fc.assert(property, { numRuns: 1000 });
});

test('over UDP: refused while open, silent and free again when closed', async () => {
  mock.method(console, 'log', () => {});
  const client = createSocket('udp4').bind(0, '127.0.0.1');
  await once(client, 'listening');
  const port = await freePort();
  const desk = new ClaimDesk(refuse);
  await desk.open('127.0.0.1', port);
  client.send(Buffer.from('garbage'), port, '127.0.0.1');
  client.send(claimOf(7n, 8n, otherKey), port, '127.0.0.1'); // forged
  client.send(claimOf(7n, 9n, key), port, '127.0.0.1');
  const [answer] = (await once(client, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
  assert.equal(answer.readUInt16LE(offsets.kind), kinds.refuse);
  assert.equal(answer.readBigUInt64LE(offsets.sequence), 9n);
  await assert.rejects(new ClaimDesk(refuse).open('127.0.0.1', port), { code: 'EADDRINUSE' });
  await desk.close();
  await desk.open('127.0.0.1', port); // the frozen helper takes the port in between
  await desk.close();
  client.close();
});

test('what anybody can bring about by sending datagrams does not fill the journal', async t => {
  const lines: string[] = [];
  t.mock.method(console, 'log', (line: string) => lines.push(line));
  const client = createSocket('udp4').bind(0, '127.0.0.1');
  await once(client, 'listening');
  const port = await freePort();
  const desk = new ClaimDesk(refuse);
  await desk.open('127.0.0.1', port);
  const recorded = claimOf(7n, 1n, key);
  let answers = 0;
  client.on('message', () => answers++);
  for (let times = 1; times <= 20; times++) {
    client.send(claimOf(7n, 2n, otherKey), port, '127.0.0.1');
    client.send(recorded, port, '127.0.0.1'); // the same claim gets the same answer, however often
    while (answers < times) await once(client, 'message', { signal: AbortSignal.timeout(5000) });
  }
  await desk.close();
  client.close();
  assert.deepEqual(
    lines.map(line => /not signed by|refused a late claim/.exec(line)?.[0]),
    ['not signed by', 'refused a late claim'],
  );
});

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}
