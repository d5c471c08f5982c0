// A kernel that may swap nothing out any more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree } from './fixture-tree.ts';
import { forbidSwap } from './no-swap.ts';
import { readText } from './sysfs.ts';

test('no group may swap, and what is no group is left alone', () => {
  using tree = new FixtureTree({
    'proc/sys/vm/swappiness': '6',
    'sys/fs/cgroup/cgroup.procs': '2\n',
    'sys/fs/cgroup/system.slice/memory.swap.max': '9',
    'sys/fs/cgroup/user.slice/memory.swap.max': '9',
    'sys/fs/cgroup/dev-hugepages.mount/cgroup.procs': '',
  });
  forbidSwap(tree.root, tree.root);
  const read = (...path: string[]): string | undefined => readText(tree.root, ...path);
  assert.equal(read('proc/sys/vm/swappiness'), '0');
  assert.equal(read('sys/fs/cgroup/system.slice/memory.swap.max'), '0');
  assert.equal(read('sys/fs/cgroup/user.slice/memory.swap.max'), '0');
  assert.equal(read('sys/fs/cgroup/dev-hugepages.mount/memory.swap.max'), undefined);
  assert.equal(read('sys/fs/cgroup/cgroup.procs'), '2');
});

test('a kernel without control groups is no error', () => {
  using tree = new FixtureTree({});
  forbidSwap(tree.root, tree.root);
});
