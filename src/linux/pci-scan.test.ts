// A scan on a tree as the kernel shows it: who gets a driver, and that new devices get theirs by themselves afterwards.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FixtureTree } from '#linux/fixture-tree.ts';
import { PCI_AUTOPROBE_PATH, PCI_PROBE_PATH, scanPci } from '#linux/pci-scan.ts';

const device = (address: string, classCode: string) => ({
  [`sys/bus/pci/devices/${address}/class`]: `${classCode}\n`,
});

test('only what is wanted gets its driver', async () => {
  using tree = new FixtureTree({
    ...device('0000:00:02.0', '0x030000'),
    ...device('0000:00:04.0', '0x010802'),
    'sys/bus/pci/rescan': '',
    'sys/bus/pci/drivers_autoprobe': '1\n',
    'sys/bus/pci/drivers_probe': '',
  });
  await scanPci(each => each.class === 0x010802, tree.root);
  const text = (path: string): string => readFileSync(join(tree.root, path), 'utf8');
  assert.equal(text('sys/bus/pci/rescan'), '1');
  assert.equal(text(PCI_PROBE_PATH), '0000:00:04.0');
  assert.equal(text(PCI_AUTOPROBE_PATH), '1');
});

test('a scan that fails leaves the kernel as it was', async () => {
  using tree = new FixtureTree({ 'sys/bus/pci/drivers_autoprobe': '1\n', 'sys/bus/pci/rescan/x': '' });
  await assert.rejects(
    scanPci(() => true, `${tree.root}`),
    { code: 'EISDIR' },
  );
  assert.equal(readFileSync(join(tree.root, PCI_AUTOPROBE_PATH), 'utf8'), '1');
});
