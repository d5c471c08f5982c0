import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mark } from './ghost-state.ts';
import { isOldDisk, standingOf } from './mark-standing.ts';

const computer = { name: 'a', address: '192.0.2.1' };
const disk = { kind: 'disk', device: 'disk0', place: { pciAddress: '0000:00:06.0' } } as const;
const printer = { kind: 'printer', device: 'printer0' } as const;
const mark: Mark = {
  ...{ osId: 'crab', epoch: 8, state: 'leaving', computer },
  move: { epoch: 8, to: { name: 'b', address: '192.0.2.2' }, key: new Uint8Array(32) },
  behind: [disk, printer],
};
const byB: Mark = { ...mark, computer: { name: 'b', address: '192.0.2.2' }, starts: computer };

test('what was left at this computer is thought about, and served', () => {
  assert.deepEqual(standingOf(mark, 'a'), { mark, left: mark, elsewhere: undefined, startsHere: true });
});

test('a disk that another computer uses by itself is not served; what else was left is', () => {
  const used: Mark = { ...mark, state: 'left', starts: computer, usedBy: 'b' };
  const found = standingOf(used, 'a');
  assert.deepEqual([found.left?.behind, found.elsewhere, found.startsHere], [[printer], 'b', true]);
  assert.ok(!standingOf({ ...used, starts: { ...computer, name: 'c' } }, 'a').startsHere);
});

test('of a disk that was left at another computer this one only starts, if a person says so', () => {
  const found = standingOf(byB, 'a');
  assert.deepEqual([found.left, found.elsewhere, found.startsHere], [undefined, 'b', true]);
  assert.ok(!standingOf(byB, 'b').startsHere);
  assert.equal(found.mark.state, 'left', 'it asks nobody: the OS may go on at b');
  assert.equal(found.mark.move, undefined, 'and grants no claim');
});

test('whether the disk has the newest state is what its mark says by now', () => {
  const used: Mark = { ...mark, usedBy: 'b' };
  assert.ok(!isOldDisk(mark, true, 'a'));
  assert.ok(isOldDisk(mark, false, 'a'), 'it was released, though that could not be written');
  assert.ok(isOldDisk({ ...mark, behind: [printer] }, false, 'a'));
  assert.ok(!isOldDisk(used, false, 'a'), 'released, but the very disk that b uses');
  assert.ok(!isOldDisk(byB, false, 'a'));
  assert.ok(isOldDisk({ ...byB, behind: [] }, false, 'a'), 'it has followed from b');
  assert.ok(isOldDisk(undefined, false, 'a'), 'the OS was started from it');
});
