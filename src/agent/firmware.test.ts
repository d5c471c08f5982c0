// Firmware is read wherever the kernel would look for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree } from '#linux/fixture-tree.ts';
import { firmwareOf, readAhead } from './firmware.ts';

test('plain, compressed and updated files are found, once each; what is not there is no error', async () => {
  using tree = new FixtureTree({
    'lib/firmware/rtl_nic/rtl8168h-2.fw': 'plain',
    'lib/firmware/updates/rtl_nic/rtl8168h-2.fw': 'newer',
    'lib/firmware/tigon/tg3.bin.xz': 'compressed',
    'lib/firmware/6.1.0/bnx2.fw': 'of this kernel',
  });
  const names = ['rtl_nic/rtl8168h-2.fw', 'tigon/tg3.bin', 'bnx2.fw', 'missing.fw'];
  assert.equal(await readAhead(names, tree.root, '6.1.0'), 3);
  assert.equal(await readAhead([], tree.root, '6.1.0'), 0);
});

test('a module that nobody knows has no firmware', async () => {
  assert.deepEqual(await firmwareOf([]), []);
  assert.deepEqual(await firmwareOf(['no_such_module_of_ours']), []);
});
