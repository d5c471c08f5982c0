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

test('where UEFI has started the kernel and it was told nothing, the tables of that say it, the newer one first', () => {
  const efi = (...lines: string[]) => ({
    'proc/cmdline': 'quiet\n',
    'sys/kernel/boot_params/data': parameters(0n),
    'sys/firmware/efi/systab': `${lines.join('\n')}\n`,
  });
  using both = new FixtureTree(efi('ACPI=0x5fb7e000', 'ACPI20=0x5fb7e014', 'SMBIOS=0x5f918000'));
  assert.equal(readRsdp(both.root), 0x5fb7e014);
  using old = new FixtureTree(efi('ACPI=0x5fb7e000', 'SMBIOS=0x5f918000'));
  assert.equal(readRsdp(old.root), 0x5fb7e000);
  using none = new FixtureTree(efi('SMBIOS=0x5f918000'));
  assert.equal(readRsdp(none.root), undefined);
});

test('a parameter overrules it', () => {
  using tree = new FixtureTree({
    'proc/cmdline': 'quiet acpi_rsdp=0xf5ae0\n',
    'sys/kernel/boot_params/data': parameters(0x5a50n),
  });
  assert.equal(readRsdp(tree.root), 0xf5ae0);
});
