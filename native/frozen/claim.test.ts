// Claims and their MAC: which datagrams are heard, and of which move they are.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { claim, wireVersion } from '#wire/frames.ts';
import { signClaim } from '../../src/agent/claim-mac.ts';
import { answers } from './test/harness.ts';
import { source, sourceJob } from './test/jobs.ts';

test('claim datagrams: only whole ones of this version', () => {
  const good = Buffer.alloc(claim.bytes);
  good.writeUInt32LE(claim.magic, claim.offsets.magic);
  good.writeUInt16LE(wireVersion, claim.offsets.version);
  const otherMagic = Buffer.from(good).fill(0, 0, 1);
  const otherVersion = Buffer.from(good).fill(9, 4, 5);
  const records = [
    good,
    otherMagic,
    otherVersion,
    good.subarray(0, claim.bytes - 1),
    Buffer.concat([good, Buffer.alloc(1)]),
    Buffer.alloc(0),
    Buffer.alloc(60_000),
  ];
  assert.deepEqual(answers(records.map(bytes => ['C', bytes] as const)).flat(), [1, 0, 0, 0, 0, 0, 0]);
});

test('the MAC is HMAC-SHA256', () => {
  const key = Buffer.alloc(32, 0x0b);
  const messages = [0, 1, 55, 56, 63, 64, 65, 119, 144, 1000].map(length =>
    Buffer.alloc(length, 'Hi There '),
  );
  const macs = answers(messages.map(bytes => ['H', Buffer.concat([key, bytes])] as const));
  for (const [index, message] of messages.entries())
    assert.deepEqual(macs[index]?.slice(0, 32), [...createHmac('sha256', key).update(message).digest()]);
  // RFC 4231, case 1: a key of 20 bytes is one of 32 with zeros behind it.
  const [first] = answers([['H', Buffer.concat([key.fill(0, 20), Buffer.from('Hi There')])]]);
  assert.equal(
    Buffer.from(first?.slice(0, 32) ?? []).toString('hex'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  );
});

test('a claim is of the move whose key has signed it, and of nobody with one bit changed', () => {
  const [nobody, ours, past] = [0, 1, 2];
  const whose = (datagrams: readonly Buffer[]): (number | undefined)[] =>
    answers(datagrams.map(each => ['W', Buffer.concat([each, source])] as const)).map(([answer]) => answer);
  const claimOf = (epoch: number, key: Uint8Array): Buffer => {
    const datagram = Buffer.alloc(claim.bytes, 7);
    datagram.writeBigUInt64LE(BigInt(epoch), claim.offsets.epoch);
    signClaim(key, datagram);
    return datagram;
  };
  const [pastMove] = sourceJob.pastClaims;
  const mine = claimOf(7, sourceJob.claimKey);
  assert.deepEqual(
    whose([
      mine,
      claimOf(6, pastMove?.key ?? mine),
      claimOf(6, sourceJob.claimKey), // a copy cannot pass for one of another move
      claimOf(7, pastMove?.key ?? mine),
      claimOf(5, sourceJob.claimKey),
      Buffer.alloc(claim.bytes),
    ]),
    [ours, past, nobody, nobody, nobody, nobody],
  );
  const flipped = Array.from({ length: claim.bytes * 8 }, (_, bit) => {
    const datagram = Buffer.from(mine);
    datagram.writeUInt8(datagram.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    return datagram;
  });
  assert.deepEqual(new Set(whose(flipped)), new Set([nobody]));
});
