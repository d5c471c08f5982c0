// Frames as bytes: one written out, any frame in any chunks, and any bytes at all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, type Frame, FrameReader } from '#wire/frame.ts';
import { frameTypes, wireVersion } from '#wire/frames.ts';
import { WireError } from '#wire/wire-error.ts';

const frameArbitrary = fc.record(
  {
    type: fc.integer({ min: 1, max: 255 }),
    arg: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    payload: fc.uint8Array({ maxLength: 300 }),
  },
  { noNullPrototype: true },
);

/** Cuts bytes at pseudo-random places that `sizes` gives. */
function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    cut.push(bytes.subarray(at, at + size));
    at += size;
  }
  return cut;
}

test('a frame on the wire', () => {
  const bytes = encodeFrame(frameTypes.go.number, 0x0102030405060708n, Buffer.from('ok'));
  assert.deepEqual(
    [...bytes],
    [
      ...[0x59, 0x44], // magic "YD"
      wireVersion,
      4, // type: go
      ...[2, 0, 0, 0], // payload length
      ...[8, 7, 6, 5, 4, 3, 2, 1], // argument
      ...[0x6f, 0x6b], // "ok"
    ],
  );
});

test('frames come out as they went in, however the stream is cut', () => {
  const property = fc.property(
    fc.array(frameArbitrary, { maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }),
    (frames, sizes) => {
      const reader = new FrameReader(300);
      const bytes = Buffer.concat(frames.map(each => encodeFrame(each.type, each.arg, each.payload)));
      const got: Frame[] = pieces(bytes, sizes).flatMap(piece => reader.push(piece));
      assert.deepEqual(
        got.map(({ type, arg, payload }) => ({ type, arg, payload: Uint8Array.from(payload) })),
        frames,
      );
    },
  );
  fc.assert(property);
});

test('bytes that are no frame are refused by name', () => {
  const good = encodeFrame(1, 0n, Buffer.alloc(10));
  const changed = (offset: number, value: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[offset] = value;
    return bytes;
  };
  const refused = (bytes: Buffer, kind: string, message: RegExp): void => {
    assert.throws(() => new FrameReader(10).push(bytes), { name: 'WireError', kind, message });
  };
  refused(changed(0, 0), 'badFrame', /magic/);
  refused(changed(2, wireVersion + 1), 'badFrame', /version/);
  refused(changed(3, 0), 'badFrame', /type 0/);
  refused(changed(4, 11), 'frameTooLarge', /11 bytes/);
  assert.equal(new FrameReader(10).push(good).length, 1);
});

test('a length over the limit is refused before its bytes are there', () => {
  const reader = new FrameReader(100);
  assert.throws(() => reader.push(encodeFrame(1, 0n, Buffer.alloc(101)).subarray(0, 16)), WireError);
});

test('any bytes give frames or a WireError', () => {
  const property = fc.property(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // a right beginning, so that the rest is looked at
      fc
        .uint8Array({ maxLength: 60 })
        .map(rest => Buffer.concat([Buffer.from([0x59, 0x44, wireVersion]), rest])),
    ),
    bytes => {
      try {
        for (const { type } of new FrameReader(64).push(bytes)) assert.notEqual(type, 0);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    },
  );
  fc.assert(property, { numRuns: 2000 });
});
