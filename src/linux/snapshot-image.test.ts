// The image stream: a header as stock Debian's kernel writes it, lists of page frames, hostile counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encodeMetadata,
  firstPageOutside,
  type ImagePage,
  parseImageHeader,
  parseMetadata,
  patchImageHeader,
} from '#linux/snapshot-image.ts';
import { FormatError } from '#linux/system-error.ts';

function headerPage(dataPages: number, metadataPages: number): Buffer {
  const page = Buffer.alloc(4096);
  page.writeBigUInt64LE(0xffffffff81000000n, 0); // jump address
  page.writeBigUInt64LE(0x23456789abcdef02n, 24); // magic
  page.writeBigUInt64LE(0xdeadbeefn, 32); // e820 checksum
  page.writeBigUInt64LE(261_998n, 400); // pages present
  page.writeBigUInt64LE(BigInt(dataPages), 416);
  page.writeBigUInt64LE(BigInt(dataPages + metadataPages + 1), 424);
  return page;
}

test('a header is read, and only the two compared values are patched', () => {
  const page = headerPage(58_000, 114);
  assert.deepEqual(parseImageHeader(page), {
    e820Checksum: 0xdeadbeef,
    presentPages: 261_998,
    dataPages: 58_000,
    metadataPages: 114,
    totalPages: 58_115,
  });
  const patched = patchImageHeader(page, { e820Checksum: 0x12345678, presentPages: 393_070 });
  const changed = [...patched.keys()].filter(at => patched[at] !== page[at]);
  assert.ok(changed.every(at => (at >= 32 && at < 40) || (at >= 400 && at < 408)));
  assert.deepEqual(parseImageHeader(patched), {
    ...parseImageHeader(page),
    e820Checksum: 0x12345678,
    presentPages: 393_070,
  });
});

test('headers that lie are refused', () => {
  assert.throws(() => parseImageHeader(Buffer.alloc(4096)), /magic/);
  assert.throws(() => parseImageHeader(Buffer.alloc(100)), FormatError);
  assert.throws(() => parseImageHeader(headerPage(513, 1)), FormatError, 'more data than one page can name');
  assert.throws(() => parseImageHeader(headerPage(10, -5)), FormatError);
  assert.throws(() => parseImageHeader(headerPage(5, 0)), FormatError);
});

const pageLists = fc
  .uniqueArray(fc.nat({ max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 1100 })
  .chain(frames =>
    fc.tuple(
      fc.constant(frames.sort((a, b) => a - b)),
      fc.array(fc.boolean(), { minLength: frames.length, maxLength: frames.length }),
    ),
  )
  .map(([frames, zeros]) =>
    frames.map((pageFrame, i): ImagePage => ({ pageFrame, zero: zeros[i] ?? false })),
  );

test('lists of page frames come back, also when they fill their pages exactly', () => {
  const check = (pages: readonly ImagePage[]) => {
    const metadata = encodeMetadata(pages);
    const header = parseImageHeader(
      headerPage(pages.filter(page => !page.zero).length, metadata.length / 4096),
    );
    assert.deepEqual(parseMetadata(header, metadata), pages);
  };
  fc.assert(fc.property(pageLists, check));
  check(Array.from({ length: 512 }, (_, i) => ({ pageFrame: i, zero: false })));
});

test('a list must ascend, match the promise and not end early', () => {
  const pages = [1, 2, 3].map(pageFrame => ({ pageFrame, zero: false }));
  const header = parseImageHeader(headerPage(3, 1));
  const swapped = encodeMetadata(pages.toReversed());
  assert.throws(() => parseMetadata(header, swapped), /page frame 2 after 3/);
  assert.throws(
    () => parseMetadata(parseImageHeader(headerPage(4, 1)), encodeMetadata(pages)),
    /3 pages are listed, 4/,
  );
  const early = Buffer.concat([encodeMetadata(pages), Buffer.alloc(4096)]);
  assert.throws(() => parseMetadata(parseImageHeader(headerPage(3, 2)), early), /too early/);
});

test('any metadata gives pages or a FormatError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.nat(512), (start, count) => {
      const metadata = Buffer.alloc(4096);
      metadata.set(start);
      try {
        parseMetadata(parseImageHeader(headerPage(count, 1)), metadata);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
  );
});

test('a page outside the computer’s RAM is found', () => {
  const ranges = [
    { startPfn: 1, endPfn: 0x9f },
    { startPfn: 0x100, endPfn: 0x200 },
  ];
  const outside = (...frames: number[]) =>
    firstPageOutside(
      frames.map(pageFrame => ({ pageFrame, zero: false })),
      ranges,
    );
  assert.equal(outside(1, 0x9e, 0x100, 0x1ff), undefined);
  assert.equal(outside(0, 5), 0);
  assert.equal(outside(1, 0x9f, 0x100), 0x9f);
  assert.equal(outside(0x1ff, 0x200), 0x200);
  assert.equal(firstPageOutside([{ pageFrame: 7, zero: true }], []), 7, 'zero pages are written too');
});
