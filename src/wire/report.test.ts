// Reports of the helper: struct report of native/frozen/frozen.h, read back; and any bytes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maxTextBytes, outcomes, reasons, timedSteps } from '#wire/frames.ts';
import { decodeReport } from '#wire/report.ts';
import { WireError } from '#wire/wire-error.ts';

const reportBytes = 16 + 8 * timedSteps.length + 56 + maxTextBytes;

test('a report, field by field', () => {
  const bytes = Buffer.alloc(reportBytes);
  bytes.writeUInt32LE(reasons.frameOutsideRam, 0);
  bytes.writeUInt32LE(14, 4); // errno
  bytes.writeInt32LE(-1, 8); // no operation of a plan
  timedSteps.forEach((_, index) => {
    bytes.writeBigUInt64LE(BigInt(1000 + index), 16 + 8 * index);
  });
  const counts = 16 + 8 * timedSteps.length;
  bytes.writeBigUInt64LE(5n, counts); // pages
  bytes.writeBigUInt64LE(2n, counts + 8); // of them zero
  bytes.writeBigUInt64LE(12_345n, counts + 16); // bytes on the wire
  bytes.writeBigUInt64LE(3n, counts + 24); // pages that B had already
  bytes.writeBigUInt64LE(11_111n, counts + 32); // bytes before the freeze
  bytes.writeBigUInt64LE(4n, counts + 40); // rounds
  bytes.writeBigUInt64LE(6n, counts + 48); // recalled
  bytes.write('page frame 0x9 is not RAM here\0left over', counts + 56);
  const report = decodeReport(BigInt(outcomes.discarded), bytes);
  assert.equal(report.outcome, 'discarded');
  assert.equal(report.reason, 'frameOutsideRam');
  assert.equal(report.error, 14);
  assert.equal(report.operation, -1);
  assert.equal(report.timesUs.freeze, 1000);
  assert.equal(report.timesUs.thaw, 1000 + timedSteps.length - 1);
  assert.equal(report.pages, 5);
  assert.equal(report.zeroPages, 2);
  assert.equal(report.wireBytes, 12_345);
  assert.deepEqual([report.referencedPages, report.preCopyBytes, report.rounds], [3, 11_111, 4]);
  assert.equal(report.recalledPages, 6);
  assert.equal(report.text, 'page frame 0x9 is not RAM here');
});

test('a text from another computer cannot steer a terminal', () => {
  const bytes = Buffer.alloc(reportBytes);
  bytes.write('\u001b[2Jgone\r\n\u009bnow\0', 16 + 8 * timedSteps.length + 56);
  assert.equal(decodeReport(1n, bytes).text, '[2Jgone now');
});

test('any bytes give a report or a WireError', () => {
  const property = fc.property(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.uint8Array({ minLength: reportBytes - 1, maxLength: reportBytes + 1, size: 'max' }),
    fc.integer({ min: 0, max: 30 }),
    (arg, bytes, reason) => {
      const payload = Buffer.from(bytes);
      payload.writeUInt32LE(reason, 0);
      try {
        decodeReport(arg % 6n, payload);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    },
  );
  fc.assert(property, { numRuns: 300 });
});
