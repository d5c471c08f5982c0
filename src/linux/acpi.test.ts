// The RSDP: the command line of a kernel started by kexec overrules what its boot parameters say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRsdp } from '#linux/acpi.ts';
import { FixtureTree } from '#linux/fixture-tree.ts';

const parameters = (address: bigint): string => {
  const data = Buffer.alloc(4096);
  data.writeBigUInt64LE(address, 0x70);
  return data.toString('latin1');
};

test('the address is that of the boot parameters, or none', () => {
  using tree = new FixtureTree({
    'proc/cmdline': 'quiet\n',
    'sys/kernel/boot_params/data': parameters(0x5a50n),
  });
  assert.equal(readRsdp(tree.root), 0x5a50);
  using without = new FixtureTree({
    'proc/cmdline': 'quiet\n',
    'sys/kernel/boot_params/data': parameters(0n),
  });
  assert.equal(readRsdp(without.root), undefined);
  using nothing = new FixtureTree({ 'proc/cmdline': 'quiet\n' });
  assert.equal(readRsdp(nothing.root), undefined);
});

test('a parameter overrules it', () => {
  using tree = new FixtureTree({
    'proc/cmdline': 'quiet acpi_rsdp=0xf5ae0\n',
    'sys/kernel/boot_params/data': parameters(0x5a50n),
  });
  assert.equal(readRsdp(tree.root), 0xf5ae0);
});
