// Rounds of the pre-copy as the helper tells them: field by field; and any bytes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { preCopyBytes } from '#wire/frames.ts';
import { decodePreCopy } from '#wire/pre-copy.ts';
import { WireError } from '#wire/wire-error.ts';

test('a round, field by field', () => {
  const bytes = Buffer.alloc(preCopyBytes);
  bytes.writeUInt32LE(2, 0);
  bytes.writeUInt32LE(2, 4); // impossible
  bytes.writeUInt32LE(1, 8); // EPERM
  bytes.writeUInt32LE(5, 12);
  for (const [index, value] of [10n, 40n, 7n, 3n].entries()) bytes.writeBigUInt64LE(value, 16 + 8 * index);
  assert.deepEqual(decodePreCopy(99n, bytes), {
    round: 2,
    state: 'impossible',
    error: 1,
    pagesRecalled: 5,
    framesDone: 10,
    framesTotal: 40,
    pagesSent: 7,
    roomPages: 3,
    wireBytes: 99,
  });
});

test('any bytes give a round or a WireError', () => {
  const property = fc.property(
    fc.uint8Array({ minLength: preCopyBytes - 1, maxLength: preCopyBytes + 1, size: 'max' }),
    fc.nat(4),
    (bytes, state) => {
      const payload = Buffer.from(bytes);
      payload.writeUInt32LE(state, 4);
      try {
        decodePreCopy(1n, payload);
        assert.ok(state < 3 && payload.length === preCopyBytes);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    },
  );
  fc.assert(property, { numRuns: 200 });
});
