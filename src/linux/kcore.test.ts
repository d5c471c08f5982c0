// The headers of /proc/kcore: which page frames are where in the file.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { FixtureTree } from '#linux/fixture-tree.ts';
import { headersLength, memoryPieces, readMemoryPieces } from '#linux/kcore.ts';
import { FormatError } from '#linux/system-error.ts';

const PT_LOAD = 1;
const PT_NOTE = 4;
interface Segment {
  type?: number;
  offset: bigint;
  physical: bigint;
  size: bigint;
}

/** Headers as fs/proc/kcore.c writes them: the ELF header, and program headers right behind it. */
function kcore(segments: readonly Segment[]): Buffer {
  const file = Buffer.alloc(64 + 56 * segments.length);
  file.write('\x7fELF', 0, 'latin1');
  file.writeBigUInt64LE(64n, 32); // e_phoff
  file.writeUInt16LE(56, 54); // e_phentsize
  file.writeUInt16LE(segments.length, 56); // e_phnum
  for (const [index, { type = PT_LOAD, offset, physical, size }] of segments.entries()) {
    const at = 64 + 56 * index;
    file.writeUInt32LE(type, at);
    file.writeBigUInt64LE(offset, at + 8);
    file.writeBigUInt64LE(physical, at + 24);
    file.writeBigUInt64LE(size, at + 32);
    file.writeBigUInt64LE(size, at + 40);
  }
  return file;
}

const none = 2n ** 64n - 1n;
const usual = kcore([
  { type: PT_NOTE, offset: 0x1000n, physical: 0n, size: 0x2000n },
  { offset: 0x7fff_8100_3000n, physical: 0x100_0000n, size: 0x2000n }, // kernel text, there once more
  { offset: 0x4900_0000_3000n, physical: none, size: 0x1f_ffff_ffffn }, // vmalloc
  { offset: 0x880_0000_4000n, physical: 0x1000n, size: 0x9e000n },
  { offset: 0x880_0010_3000n, physical: 0x10_0000n, size: 0x3ff0_0000n },
]);
const usualRam = [
  { startPfn: 0x1, endPfn: 0x9f },
  { startPfn: 0x100, endPfn: 0x10000 },
  { startPfn: 0x1c000, endPfn: 0x50000 }, // more than the file has
];

test('frames of RAM, each once, where the direct map has them', () => {
  assert.deepEqual(memoryPieces(usual, usualRam), [
    { startPfn: 0x1, endPfn: 0x9f, offset: 0x880_0000_4000n },
    { startPfn: 0x100, endPfn: 0x10000, offset: 0x880_0010_3000n },
    { startPfn: 0x1c000, endPfn: 0x40000, offset: 0x880_0010_3000n + (0x1c000n - 0x100n) * 4096n },
  ]);
});

test('a segment that does not begin with a page', () => {
  const file = kcore([{ offset: 0x3400n, physical: 0x1400n, size: 0x3000n }]);
  assert.deepEqual(memoryPieces(file, [{ startPfn: 0, endPfn: 100 }]), [
    { startPfn: 2, endPfn: 4, offset: 0x4000n },
  ]);
});

test('a direct map far up in the file, as with five levels of page tables', () => {
  const file = kcore([{ offset: 0xe1_0000_0000_3000n, physical: 0x10_0000n, size: 0x10_0000n }]);
  assert.deepEqual(memoryPieces(file, [{ startPfn: 0x101, endPfn: 0x110 }]), [
    { startPfn: 0x101, endPfn: 0x110, offset: 0xe1_0000_0000_4000n },
  ]);
});

test('from the file, and errors that say that there is none', () => {
  using tree = new FixtureTree({ 'proc/cmdline': '' });
  assert.throws(() => readMemoryPieces(usualRam, tree.root), { code: 'ENOENT' });
  mkdirSync(join(tree.root, 'proc'), { recursive: true });
  writeFileSync(join(tree.root, 'proc/kpageflags'), '');
  writeFileSync(join(tree.root, 'proc/kcore'), Buffer.concat([usual, Buffer.alloc(9000)]));
  assert.deepEqual(readMemoryPieces(usualRam, tree.root), memoryPieces(usual, usualRam));
  writeFileSync(join(tree.root, 'proc/kcore'), usual.subarray(0, 100));
  assert.throws(() => readMemoryPieces(usualRam, tree.root), FormatError);
});

test('any bytes are pieces inside of RAM, or a FormatError', () => {
  const changed = fc
    .array(fc.tuple(fc.nat(usual.length - 1), fc.nat(255)), { maxLength: 8 })
    .map(changes => changes.reduce((file, [at, value]) => file.fill(value, at, at + 1), Buffer.from(usual)));
  fc.assert(
    fc.property(
      fc.oneof(
        changed,
        fc.uint8Array().map(bytes => Buffer.from(bytes)),
      ),
      file => {
        try {
          let before = 0;
          for (const { startPfn, endPfn, offset } of memoryPieces(file, usualRam)) {
            assert.ok(startPfn >= before && endPfn > startPfn && offset < 2n ** 62n);
            assert.ok(usualRam.some(range => range.startPfn <= startPfn && endPfn <= range.endPfn));
            before = endPfn;
          }
          assert.ok(headersLength(file) <= file.length);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      },
    ),
  );
});
