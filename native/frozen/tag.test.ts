// Tags of pages against NH written down from the paper, in whole numbers of any length.

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { test } from 'node:test';
import { pageBytes } from '#wire/frames.ts';
import { answers } from './test/harness.ts';

const words = pageBytes / 8;
const keyBytes = (words + 2) * 8; // one pair more: Toeplitz

/** The two passes of the helper's tag, 128 bits each. */
function tagOf(key: Buffer, page: Buffer): bigint[] {
  const [answer = []] = answers([['G', Buffer.concat([key, page])]]);
  const halves = answer.slice(0, 8).map(BigInt);
  return [0, 4].map(from => halves.slice(from, from + 4).reduceRight((sum, half) => (sum << 32n) | half, 0n));
}

/** NH: the sum over pairs of words of (m1 + k1 mod 2^64)(m2 + k2 mod 2^64), mod 2^128; `shift` in words of the key. */
function nh(key: Buffer, page: Buffer, shift: number): bigint {
  const word = (at: number): bigint =>
    BigInt.asUintN(64, page.readBigUInt64LE(8 * at) + key.readBigUInt64LE(8 * (at + shift)));
  let sum = 0n;
  for (let at = 0; at < words; at += 2) sum += word(at) * word(at + 1);
  return BigInt.asUintN(128, sum);
}

test('a tag is NH twice, the second time with the key shifted by a pair', () => {
  const pages = [
    Buffer.alloc(pageBytes),
    Buffer.alloc(pageBytes, 0xff),
    randomFillSync(Buffer.alloc(pageBytes)),
    Buffer.alloc(pageBytes).fill(1, pageBytes - 1),
  ];
  for (const key of [Buffer.alloc(keyBytes, 0xff), randomFillSync(Buffer.alloc(keyBytes))]) {
    for (const page of pages) assert.deepEqual(tagOf(key, page), [nh(key, page, 0), nh(key, page, 2)]);
  }
});

test('one bit anywhere makes another tag, and so does another order of the words', () => {
  const key = randomFillSync(Buffer.alloc(keyBytes));
  const page = randomFillSync(Buffer.alloc(pageBytes));
  const tags = new Set([String(tagOf(key, page))]);
  for (const at of [0, 7, 8, 2047, 4088, 4095]) {
    const other = Buffer.from(page);
    other[at] = (other[at] ?? 0) ^ 0x80;
    tags.add(String(tagOf(key, other)));
  }
  const swapped = Buffer.concat([page.subarray(8, 16), page.subarray(0, 8), page.subarray(16)]);
  const turned = Buffer.concat([page.subarray(16), page.subarray(0, 16)]);
  for (const other of [swapped, turned]) tags.add(String(tagOf(key, other)));
  assert.equal(tags.size, 9);
});
