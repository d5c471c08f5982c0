// Clocks read right; the entropy request has the layout of struct rand_pool_info. Nothing is set here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAddEntropy, monotonicNs, realtimeNs } from '#linux/clock.ts';

test('the wall clock is Node’s, the monotonic one goes forward', () => {
  assert.ok(Math.abs(Number(realtimeNs() / 1_000_000n) - Date.now()) < 1000);
  const before = monotonicNs();
  assert.ok(monotonicNs() >= before);
});

test('entropy is counted in bits, sized in bytes', () => {
  const { buffer } = encodeAddEntropy(Uint8Array.of(1, 2, 3, 4));
  assert.equal(Buffer.from(buffer).toString('hex'), '2000000004000000' + '01020304');
});
