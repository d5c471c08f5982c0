// When the rounds end, and how much a target may promise.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { movingAgentImage } from './capabilities.ts';
import {
  decide,
  forecast,
  mayHavePages,
  nextStep,
  parkBytesOf,
  preCopyLimits,
  type Round,
  roundTotal,
} from './precopy.ts';

const MB = 2 ** 20;
const round = (megabytes: number, seconds: number): Round => ({
  bytes: megabytes * MB,
  durationMs: seconds * 1000,
});

test('rounds go on while each is much smaller than the one before', () => {
  assert.equal(nextStep([round(300, 10)], false).step, 'again');
  assert.equal(nextStep([round(300, 10), round(120, 4)], false).step, 'again');
  const stuck = nextStep([round(300, 10), round(120, 4), round(100, 4)], false);
  assert.deepEqual([stuck.step, /as fast as/.test(stuck.why)], ['freeze', true]);
});

test('the rounds end when little is left, when it goes quickly, when there is no room, and after five of them', () => {
  const reasons: [Round[], boolean, RegExp][] = [
    [[round(300, 10), round(15, 4)], false, /little has changed/],
    [[round(300, 0.5), round(100, 2)], false, /takes 167 ms/],
    [[round(300, 10)], true, /no more room/],
    [[1000, 600, 360, 200, 120].map(size => round(size, size / 30)), false, /5 rounds/],
    [[], false, /nothing/],
  ];
  for (const [rounds, full, why] of reasons) {
    const next = nextStep(rounds, full);
    assert.equal(next.step, 'freeze');
    assert.match(next.why, why);
  }
});

test('any rounds: it ends, after five at the latest', () => {
  const any = fc.record({ bytes: fc.nat(2 ** 31 - 1), durationMs: fc.nat(100_000) });
  fc.assert(
    fc.property(
      fc.array(any, { minLength: preCopyLimits.maxRounds, maxLength: 9 }),
      fc.boolean(),
      (rounds, full) => {
        assert.equal(nextStep(rounds, full).step, 'freeze');
      },
    ),
  );
});

test('the forecast takes the best rate, not that of a round that had little to send', () => {
  assert.equal(forecast([round(300, 10), round(30, 9)]), 1000);
  assert.equal(forecast([]), null);
  assert.equal(forecast([{ bytes: 5, durationMs: 0 }]), null);
});

test('what a round will send: the first one all that is used, a later one as much as it shows so far', () => {
  assert.equal(roundTotal({ round: 1, bytes: 0, share: 0 }, 1000), 1000);
  assert.equal(roundTotal({ round: 1, bytes: 600, share: 0.5 }, 1000), 800);
  assert.equal(roundTotal({ round: 1, bytes: 1200, share: 0.5 }, 1000), 1200);
  assert.equal(roundTotal({ round: 2, bytes: 50, share: 0.25 }, 1000), 200);
  assert.equal(roundTotal({ round: 2, bytes: 0, share: 0 }, 1000), 0);
  assert.equal(roundTotal({ round: 3, bytes: 70, share: 1 }, 1000), 70);
});

test('a target never promises what its kernel needs for the image', () => {
  assert.equal(parkBytesOf(100 * MB, 200 * MB), 0);
  assert.equal(parkBytesOf(8000 * MB, 400 * MB), 500 * MB);
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), fc.nat(2 ** 31 - 1), (free, image) => {
      const park = parkBytesOf(free, image);
      assert.ok(park >= 0 && (park === 0 || park + image < free));
    }),
  );
});

test('a target looks for pages of the OS that was there last, and for the agent where that moves', () => {
  assert.equal(mayHavePages('crab', 'crab', 'ab'), true);
  assert.equal(mayHavePages('crab', 'lobster', 'ab'), false);
  assert.equal(mayHavePages('crab', undefined, 'ab'), false);
  assert.equal(mayHavePages('crab', undefined, movingAgentImage), true);
});

const wished = (megabytes: number, wish: { maxMs: number; restMs: number }, waitedMs = 0) =>
  decide({ rounds: [round(300, 10), round(megabytes, 4)], full: false, leftOutBytes: 0, waitedMs, wish });

test('nobody has a wish: the OS is frozen as soon as rounds bring nothing', () => {
  const rounds = [round(300, 10), round(280, 10)];
  const freeze = decide({ rounds, full: false, leftOutBytes: 0, waitedMs: 0 });
  assert.deepEqual([freeze.step, freeze.downtimeMs], ['freeze', undefined]);
});

test('a standstill that would be too long is put off, and given up in the end', () => {
  const wish = { maxMs: 5000, restMs: 2000 };
  // 30 MB a second at best: 280 MB take 4 s at the 70 MB a second of the last round.
  assert.deepEqual([wished(280, wish).step, wished(280, wish).downtimeMs], ['wait', 6000]);
  assert.equal(wished(280, { ...wish, maxMs: 6000 }).step, 'freeze');
  assert.equal(wished(280, wish, preCopyLimits.patienceMs - 1).step, 'wait');
  const over = wished(280, wish, preCopyLimits.patienceMs);
  assert.deepEqual([over.step, over.why], ['giveUp', 'there was no quiet moment']);
  assert.equal(wished(100, wish).step, 'again'); // rounds still help
});

test('a wish that no quiet moment can meet is told at once', () => {
  const { step, downtimeMs } = wished(280, { maxMs: 1000, restMs: 2000 });
  assert.deepEqual([step, downtimeMs], ['giveUp', 2000]);
});

test('what the target has no room for counts', () => {
  const wish = { maxMs: 3000, restMs: 0 };
  const at = (leftOutBytes: number) =>
    decide({ rounds: [round(300, 3)], full: true, leftOutBytes, waitedMs: 0, wish }).step;
  assert.deepEqual([at(0), at(200 * MB)], ['freeze', 'wait']);
});
