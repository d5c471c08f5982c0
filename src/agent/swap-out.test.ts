// Memory is swapped out piece by piece until enough is free, or as much as the programs let go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { swapOut } from './swap-out.ts';

const MiB = 2 ** 20;

/** A kernel with `used` MiB in use; each request gives what `gives` says of it, and takes a second. */
function kernel(used: number, gives: (bytes: number) => number) {
  const state = { used: used * MiB, time: 0, asked: [] as number[] };
  return {
    state,
    inUse: () => state.used,
    now: () => state.time,
    writingMs: 0,
    reclaim: async (bytes: number) => {
      state.time += 1000;
      state.asked.push(bytes / MiB);
      state.used -= gives(bytes);
      return gives(bytes) >= bytes;
    },
  };
}
const never = new AbortController().signal;

test('so many pieces as it takes, the last one smaller; it is told how far it is', async () => {
  const told: string[] = [];
  const world = kernel(500, bytes => bytes);
  const left = await swapOut(
    420 * MiB,
    never,
    (done, total) => told.push(`${done / MiB}/${total / MiB}`),
    world,
  );
  assert.equal(left, 420 * MiB);
  assert.deepEqual(world.state.asked, [32, 32, 16]);
  assert.deepEqual(told, ['0/80', '32/80', '64/80', '80/80']);
});

test('nothing is asked for where enough is free', async () => {
  const world = kernel(400, bytes => bytes);
  assert.equal(await swapOut(420 * MiB, never, undefined, world), 400 * MiB);
  assert.deepEqual(world.state.asked, []);
});

test('a kernel that gives little at a time is asked again', async () => {
  const world = kernel(500, bytes => Math.min(bytes, 4 * MiB));
  assert.equal(await swapOut(420 * MiB, never, undefined, world), 420 * MiB);
});

test('programs that take back what was swapped out end it: the rest follows when they stand still', async () => {
  const world = kernel(500, () => 0);
  assert.equal(await swapOut(420 * MiB, never, undefined, world), 500 * MiB);
  assert.equal(world.state.asked.length, 11, 'ten seconds without getting anywhere');
});

test('a cancel ends it', async () => {
  await assert.rejects(
    swapOut(
      420 * MiB,
      AbortSignal.abort(new Error('given up')),
      undefined,
      kernel(500, bytes => bytes),
    ),
    /given up/,
  );
});
