// Parts of the kernel that are tried out, with files that can be opened or not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLackingFacilities } from '#linux/facilities.ts';
import { FixtureTree } from '#linux/fixture-tree.ts';

/** NBD is asked of the kernel that runs the tests. */
const reasons = (root: string) =>
  Object.fromEntries(
    readLackingFacilities(root)
      .filter(each => each.facility !== 'nbd')
      .map(each => [each.facility, each.reason]),
  );

test('what can be opened works', () => {
  using tree = new FixtureTree({
    'proc/kcore': '',
    'proc/kpageflags': '',
    'sys/kernel/kexec_loaded': '0\n',
    'proc/sys/kernel/kexec_load_disabled': '0\n',
    'dev/uinput': '',
    'dev/cuse': '',
  });
  assert.deepEqual(reasons(tree.root), {});
});

test('what cannot is named, with the reason', () => {
  using tree = new FixtureTree({
    'proc/kcore': '',
    'sys/kernel/kexec_loaded': '0\n',
    'proc/sys/kernel/kexec_load_disabled': '1\n',
    'dev/cuse': '',
  });
  assert.deepEqual(reasons(tree.root), {
    kcore: 'there is no /proc/kpageflags',
    kexec: 'its kernel may not start another one (kexec)',
    uinput: 'there is no /dev/uinput',
  });
});
