// Holding programs back: who has a device open, in which group they are, and a group that does not stop.
import assert from 'node:assert/strict';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cgroupOf, freezeCgroup, holdersOf, thawCgroup } from '#linux/cgroup.ts';
import { FixtureTree } from '#linux/fixture-tree.ts';

test('holders are found by the end of the path, also from another root', () => {
  using tree = new FixtureTree({
    '7/fd/.keep': '',
    '8/fd/.keep': '',
    'self/x': '',
    '9/cgroup': '0::/user.slice/a\n',
  });
  symlinkSync('/dev/usb/lp0', join(tree.root, '7/fd/3'));
  symlinkSync('/usb/lp1', join(tree.root, '8/fd/3'));
  assert.deepEqual(holdersOf('/dev/usb/lp0', tree.root), [7]);
  assert.deepEqual(holdersOf('/dev/usb/lp1', tree.root), [8]);
  assert.equal(cgroupOf(9, tree.root), '/user.slice/a');
  assert.equal(cgroupOf(10, tree.root), undefined);
});

test('a group that stops, one that does not, and one that is gone', async () => {
  using tree = new FixtureTree({
    'a/cgroup.freeze': '0',
    'a/cgroup.events': 'populated 1\nfrozen 1\n',
    'b/cgroup.freeze': '0',
    'b/cgroup.events': 'populated 1\nfrozen 0\n',
  });
  const state = (group: string): string => readFileSync(join(tree.root, group, 'cgroup.freeze'), 'utf8');
  await freezeCgroup('/a', 1000, tree.root);
  assert.equal(state('a'), '1');
  await assert.rejects(freezeCgroup('/b', 20, tree.root), /could not be held back/);
  assert.equal(state('b'), '0');
  thawCgroup('/a', tree.root);
  assert.equal(state('a'), '0');
  thawCgroup('/c', tree.root);
});
