// Which events of ACPI may come, from a directory that looks like /sys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { armedEvents } from '#linux/acpi-events.ts';
import { FixtureTree } from '#linux/fixture-tree.ts';

test('general and fixed events that are switched on; not those that are masked, off or none', () => {
  const at = 'sys/firmware/acpi/interrupts';
  using tree = new FixtureTree({
    [`${at}/ff_pwr_btn`]: '       0  EN     enabled      unmasked\n',
    [`${at}/ff_slp_btn`]: '       0        invalid      unmasked\n',
    [`${at}/ff_gbl_lock`]: '       0  EN     enabled      unmasked\n',
    [`${at}/gpe6E`]: '    1204  EN STS enabled      unmasked\n',
    [`${at}/gpe01`]: '       0        disabled     unmasked\n',
    [`${at}/gpe02`]: '       0  EN     enabled      masked\n',
    [`${at}/gpe_all`]: '    1204\n',
    [`${at}/sci`]: '    1204\n',
  });
  const found = armedEvents(tree.root);
  assert.deepEqual(
    found.map(each => each.path.split('/').at(-1)),
    ['ff_gbl_lock', 'ff_pwr_btn', 'gpe6E'],
  );
  assert.deepEqual(found.at(-1), { path: `/${at}/gpe6E`, off: 'mask\n', on: 'unmask\n' });
  assert.deepEqual(found[0], { path: `/${at}/ff_gbl_lock`, off: 'disable\n', on: 'enable\n' });
});
