// Progress, downtime, history, ranges, quantities: small sums that must be right.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { downtimeOf } from './downtime.ts';
import { type HistoryEntry, withEntry } from './history.ts';
import { sourceStates } from './migration-table.ts';
import { etaMsOf, newRateMeter, phaseOf, rateOf, withSample } from './progress.ts';
import { formatBytes, formatMs, parseMs } from './quantities.ts';
import { countFrames, hasFrame, mergeRanges, subtractRanges } from './ram-ranges.ts';

test('rate and time left over a sliding window', () => {
  let meter = newRateMeter(1000);
  assert.equal(rateOf(meter), 0);
  assert.equal(etaMsOf(meter, 100), null);
  for (const second of [0, 1, 2, 3]) meter = withSample(meter, second * 1000, second * 1000);
  for (const second of [4, 5, 6]) meter = withSample(meter, second * 1000, 3000 + (second - 3) * 3000);
  assert.equal(rateOf(meter), 3000);
  assert.equal(etaMsOf(meter, 15_000), 1000);
  assert.equal(etaMsOf(meter, 12_000), 0);
  assert.ok(meter.samples.length <= 3);
});

test('a new phase starts the window anew; a stream that stands still has no forecast', () => {
  let meter = withSample(withSample(newRateMeter(), 0, 0), 1000, 5000);
  meter = withSample(meter, 1500, 0);
  assert.equal(rateOf(meter), 0);
  meter = withSample(meter, 9000, 0);
  assert.equal(etaMsOf(meter, 10), null);
});

test('every state but idle and returned has a phase', () => {
  const without = sourceStates.filter(state => phaseOf(state) === undefined);
  assert.deepEqual(without, ['idle', 'returned']);
});

test('downtime is the sum of its parts', () => {
  assert.equal(downtimeOf({ freeze: 20, image: 700, send: 1000, arrive: 30 }).total, 1750);
});

test('history: newest first, one entry a move, not for ever', () => {
  const entry = (id: string): HistoryEntry => ({
    id,
    source: 'a',
    target: 'b',
    epoch: 1,
    outcome: 'moved',
    startedAt: '2026-11-22T10:00:00Z',
    endedAt: '2026-11-22T10:00:05Z',
    bytesSent: 1,
  });
  const history = withEntry(withEntry(withEntry([], entry('1')), entry('2')), entry('1'), 2);
  assert.deepEqual(
    history.map(each => each.id),
    ['1', '2'],
  );
});

const range = fc
  .tuple(fc.nat(60), fc.integer({ min: 1, max: 20 }))
  .map(([startPfn, length]) => ({ startPfn, endPfn: startPfn + length }));

test('ranges: subtraction is the same frame by frame', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), fc.array(range, { maxLength: 6 }), (ranges, holes) => {
      const rest = subtractRanges(ranges, holes);
      let count = 0;
      for (let pfn = 0; pfn < 90; pfn += 1) {
        const expected = hasFrame(ranges, pfn) && !hasFrame(holes, pfn);
        assert.equal(hasFrame(rest, pfn), expected);
        count += Number(expected);
      }
      assert.equal(countFrames(rest), count);
      assert.deepEqual(mergeRanges(rest), rest);
    }),
  );
});

test('quantities as people read them', () => {
  assert.deepEqual([0, 1023, 1536, 237 * 1024 * 1024].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '237 MiB',
  ]);
  assert.deepEqual([3.4, 850, 12_340, 125_000, 7_260_000].map(formatMs), [
    '3 ms',
    '850 ms',
    '12.3 s',
    '2 min 5 s',
    '2 h 1 min',
  ]);
});

test('times as people type them', () => {
  assert.deepEqual(['2s', '1.5 s', '500ms', '3', '2min'].map(parseMs), [2000, 1500, 500, 3000, 120_000]);
  assert.deepEqual(
    ['', 's', '-1s', '1h', '1,5s', '1e3', 'soon'].map(parseMs),
    Array.from({ length: 7 }, () => undefined),
  );
});
