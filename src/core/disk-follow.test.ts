// The sums of a disk that follows: which part lies where, regions, windows, and how long it takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  afterFollow,
  differing,
  diskUnitBytes,
  type FollowState,
  followReport,
  forecastMs,
  joined,
  mirrorRegionBytes,
  nextWindow,
  regionBytes,
  regionsOf,
  restMs,
  segmentsOf,
  windowBytes,
} from './disk-follow.ts';

const sizes = fc.integer({ min: 1, max: 40_000 }).map(units => units * diskUnitBytes);

test('windows and regions cover a disk without gaps, and each is large enough for a mirror', () => {
  fc.assert(
    fc.property(sizes, sizeBytes => {
      let done = 0;
      for (let window = nextWindow(sizeBytes, 0); window; window = nextWindow(sizeBytes, done)) {
        assert.equal(window.start, done);
        assert.ok(window.bytes <= windowBytes && window.start % regionBytes === 0);
        for (const region of regionsOf(window)) {
          assert.equal(region.start, done);
          assert.ok(region.bytes >= diskUnitBytes && region.bytes <= regionBytes);
          const mirror = mirrorRegionBytes(region.bytes);
          assert.ok(mirror <= region.bytes && mirror >= diskUnitBytes && (mirror & (mirror - 1)) === 0);
          done += region.bytes;
        }
      }
      assert.equal(done, sizeBytes);
    }),
  );
});

test('a table says of every byte where it lies', () => {
  const size = 3 * windowBytes + 5 * diskUnitBytes;
  const remote = { kind: 'remote', start: 0, bytes: size };
  assert.deepEqual(segmentsOf(size, 0), [remote]);
  assert.deepEqual(segmentsOf(size, size), [{ kind: 'both', start: 0, bytes: size }]);
  const window = { start: windowBytes, bytes: windowBytes };
  const region = (index: number) => ({ start: windowBytes + index * regionBytes, bytes: regionBytes });
  assert.deepEqual(segmentsOf(size, windowBytes, window, [region(0), region(1), region(4)]), [
    { kind: 'both', start: 0, bytes: windowBytes },
    { kind: 'copy', start: windowBytes, bytes: 2 * regionBytes },
    { kind: 'both', start: windowBytes + 2 * regionBytes, bytes: 2 * regionBytes },
    { kind: 'copy', start: windowBytes + 4 * regionBytes, bytes: regionBytes },
    { kind: 'both', start: windowBytes + 5 * regionBytes, bytes: windowBytes - 5 * regionBytes },
    { kind: 'remote', start: 2 * windowBytes, bytes: windowBytes + 5 * diskUnitBytes },
  ]);
});

test('neighbours are joined, others are not', () => {
  const extents = [
    { start: 0, bytes: 4 },
    { start: 4, bytes: 4 },
    { start: 12, bytes: 4 },
  ];
  assert.deepEqual(joined(extents), [
    { start: 0, bytes: 8 },
    { start: 12, bytes: 4 },
  ]);
});

test('regions differ by their hashes; an answer for more or fewer regions is none', () => {
  const window = { start: windowBytes, bytes: 2 * regionBytes + diskUnitBytes };
  assert.deepEqual(differing(window, ['a', 'b', 'c'], ['a', 'x', 'y']), [
    { start: windowBytes + regionBytes, bytes: regionBytes },
    { start: windowBytes + 2 * regionBytes, bytes: diskUnitBytes },
  ]);
  assert.throws(() => differing(window, ['a', 'b'], ['a', 'b', 'c']), /2 and 3 hashes of 3 regions/);
});

test('how long it takes', () => {
  const progress = { sizeBytes: 1000, doneBytes: 300, copiedBytes: 0, startedMs: 50, startedBytes: 100 };
  assert.equal(forecastMs(progress, 2050), 7000);
  assert.equal(forecastMs({ ...progress, doneBytes: 100 }, 2050), undefined);
  assert.equal(restMs(200), 200);
  assert.equal(restMs(60_000), 5000);
});

test('how far it is, in words and figures', () => {
  const progress = { sizeBytes: 4096, doneBytes: 1024, copiedBytes: 512, startedMs: 0, startedBytes: 0 };
  const copying: FollowState = { kind: 'copying', progress };
  assert.deepEqual(followReport(copying, 'b', 1000), {
    computer: 'b',
    kind: 'copying',
    text: 'follows to b: 25 %, 512 B copied, 3.0 s left',
    sizeBytes: 4096,
    doneBytes: 1024,
    copiedBytes: 512,
    leftMs: 3000,
  });
  const done: FollowState = { kind: 'done', copiedBytes: 512, sizeBytes: 4096 };
  assert.equal(followReport(done, 'b', 0).text, 'at b, verified; 512 B of 4.0 KiB were copied');
  const waiting: FollowState = { kind: 'waiting', reason: 'there is no disk x (yet)' };
  assert.equal(followReport(waiting, 'b', 0).text, 'waits to follow to b: there is no disk x (yet)');
  const givenUp: FollowState = { kind: 'givenUp', reason: 'x is too small' };
  assert.equal(followReport(givenUp, 'b', 0).text, 'does not follow to b: x is too small');
  assert.equal(afterFollow(waiting, copying), copying);
  assert.equal(afterFollow(copying, done), done);
  assert.throws(() => afterFollow(done, givenUp), /"done" cannot become "givenUp"/);
  assert.throws(() => afterFollow(done, copying), /"done" cannot become "copying"/);
  const shared = { kind: 'done', copiedBytes: 0, sizeBytes: 1, isShared: true } as const;
  assert.equal(afterFollow(waiting, shared), shared, 'nothing is copied');
  assert.equal(followReport(shared, 'b', 0).text, 'b uses it by itself');
});
