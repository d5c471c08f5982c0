// Counting what has changed a disk, from files as the kernel writes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree } from './fixture-tree.ts';
import { countWrites } from './request-count.ts';

const stat =
  '     120        0     4000      10      34       2      800      20        0       40       30       6        0     3000       1       9        2\n';
const tree = (iostats: string, text = stat) =>
  new FixtureTree({ 'sys/class/block/nbd0/queue/iostats': iostats, 'sys/class/block/nbd0/stat': text });

test('writes and discards count, nothing else does', () => {
  using sys = tree('1\n');
  assert.equal(countWrites('nbd0', sys.root), 40);
});

test('where the kernel does not count nobody believes the figures', () => {
  using off = tree('0\n');
  assert.equal(countWrites('nbd0', off.root), undefined);
  using odd = tree('1\n', 'what\n');
  assert.equal(countWrites('nbd0', odd.root), undefined);
  assert.equal(countWrites('nbd1', odd.root), undefined);
});
