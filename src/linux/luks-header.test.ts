// Where a LUKS container has room for a mark: before its data, never where a key may be, and nowhere in one that is damaged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { luks1, luks2, luksCopy, plainMetadata } from './fixture-luks.ts';
import { findLuksGap, isLuks } from './luks-header.ts';
import { FormatError } from './system-error.ts';

const lookAt = (head: Buffer) => findLuksGap((start, bytes) => head.subarray(start, start + bytes));
/** @throws also when nothing may be written there */
function gapOf(head: Buffer): number {
  const { start, trouble } = lookAt(head);
  if (trouble !== undefined) throw new FormatError('LUKS container', trouble);
  return start;
}
const MiB = 2 ** 20;

test('right before the data, as cryptsetup lays containers out', () => {
  assert.equal(gapOf(luks1()), 2 * MiB - 4096);
  assert.equal(gapOf(luks2()), 16 * MiB - 4096);
  assert.ok(isLuks(luks1()) && !isLuks(Buffer.alloc(4096)));
});

test('where a key lies there is no gap', () => {
  assert.throws(() => gapOf(luks1(8 + 504 * 8)), /no gap/);
  const full = { ...plainMetadata, keyslots: { 0: { area: { offset: '16519168', size: '258048' } } } };
  assert.throws(() => gapOf(luks2(full)), /no gap/);
  const small = { ...plainMetadata, segments: { 0: { type: 'crypt', offset: '32768', size: 'dynamic' } } };
  assert.throws(() => gapOf(luks2(small)), /no gap/);
});

test('what is more than one encrypted disk is refused by name', () => {
  const segment = plainMetadata.segments[0];
  for (const [metadata, says] of [
    [{ ...plainMetadata, segments: { 0: segment, 1: { ...segment, offset: '33554432' } } }, /encrypted anew/],
    [{ ...plainMetadata, config: { requirements: { mandatory: ['online-reencrypt'] } } }, /encrypted anew/],
    [{ ...plainMetadata, segments: { 0: { ...segment, type: 'linear' } } }, /not simply encrypted/],
    [{ ...plainMetadata, segments: { 0: { ...segment, integrity: { type: 'hmac' } } } }, /not simply/],
    [{ ...plainMetadata, segments: {} }, /tells of no data/],
    [{ ...plainMetadata, segments: { 0: { ...segment, offset: '1000' } } }, /odd place/],
    [{ keyslots: {} }, /says nothing that is known/],
  ] as const)
    assert.throws(() => gapOf(luks2(metadata)), says);
  const third = luks2();
  third.writeUInt16BE(3, 6);
  assert.throws(() => gapOf(third), /version 3/);
});

test('one changed byte of a header is not believed', () => {
  fc.assert(
    fc.property(fc.nat(16383), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const head = luks2();
      const isHash = at >= 448 + 32 && at < 512; // behind a hash of 32 bytes nothing counts
      head[at]! ^= change;
      if (!isHash) assert.throws(() => gapOf(head), FormatError);
    }),
  );
});

test('a header that was cut short while it was written is taken from its copy', () => {
  const head = luks2();
  const whole = Buffer.concat([Buffer.alloc(16384), luksCopy(head)]);
  head.copy(whole, 0, 0, 4096);
  whole[5000]! ^= 1;
  assert.equal(gapOf(whole), 16 * MiB - 4096);
  whole[16384 + 5000]! ^= 1;
  assert.throws(() => gapOf(whole), /header is damaged/);
});

test('where the mark is remains known when nothing may be written there any more', () => {
  const segment = plainMetadata.segments[0];
  const two = { ...plainMetadata, segments: { 0: segment, 1: { ...segment, offset: '33554432' } } };
  assert.equal(lookAt(luks2(two)).start, 16 * MiB - 4096);
});

test('any bytes are an error or a gap inside what they say', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9000 }), fc.constantFrom(1, 2), (bytes, version) => {
      const head = Buffer.concat([Buffer.from('LUKS\xba\xbe', 'latin1'), Buffer.from([0, version]), bytes]);
      try {
        assert.ok(gapOf(head) >= 0);
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error));
      }
    }),
  );
});
