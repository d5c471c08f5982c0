// Which disks and virtual machines programs have open, from a directory that looks like /proc and /sys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { heldDisksAmong } from '#linux/held-disks.ts';
import { readOpenFiles, virtualMachinesAmong } from '#linux/open-files.ts';

const program = (pid: number, name: string, ...files: readonly string[]): Tree => ({
  [`proc/${pid}/comm`]: `${name}\n`,
  ...Object.fromEntries(files.map((link, at) => [`proc/${pid}/fd/${at}`, { link }])),
});
const disks = 'sys/devices/pci0000:00/0000:00:06.0/block';
/** The stub over the second partition of sda, encrypted volumes on it, and a second disk with a volume. */
const tree: Tree = {
  [`${disks}/sda/size`]: '8',
  [`${disks}/sda/sda2/partition`]: '2\n',
  [`${disks}/sdb/size`]: '8',
  'sys/class/block/sda': { link: `${disks}/sda` },
  'sys/class/block/sda2': { link: `${disks}/sda/sda2` },
  'sys/class/block/sdb': { link: `${disks}/sdb` },
  'sys/class/block/dm-0/dm/name': 'yado-root\n',
  'sys/class/block/dm-0/slaves/sda2': '',
  'sys/class/block/dm-1/dm/name': 'crypt\n',
  'sys/class/block/dm-1/slaves/dm-0': '',
  'sys/class/block/dm-3/dm/name': 'vg-guest\n',
  'sys/class/block/dm-3/slaves/sdb': '',
  'sys/class/block/zram0/size': '8',
  ...program(812, 'qemu-system-x86', 'dev/dm-3', 'dev/dm-3', 'anon_inode:kvm-vm', 'dev/kvm'),
  ...program(813, 'postgres', 'dev/sdb', 'dev/dm-3'),
  ...program(
    900,
    'smartd',
    'dev/sda',
    'dev/sda2',
    'dev/dm-1',
    'dev/zram0',
    'home/sdb',
    'dev/null',
    'dev/sdz',
  ),
};

test('disks that stay, held by programs; not what the stub lies on or what lies on it', () => {
  using fixture = new FixtureTree(tree);
  assert.deepEqual(heldDisksAmong(readOpenFiles(fixture.root), fixture.root), [
    { device: '/dev/dm-3', programs: ['qemu-system-x86 (pid 812)', 'postgres (pid 813)'] },
    { device: '/dev/sdb', programs: ['postgres (pid 813)'] },
  ]);
});

test('virtual machines', () => {
  using fixture = new FixtureTree(tree);
  const open = readOpenFiles(fixture.root);
  assert.deepEqual(virtualMachinesAmong(open, fixture.root), ['qemu-system-x86 (pid 812)']);
});

test('a computer that shows nothing', () => {
  using fixture = new FixtureTree({ 'proc/self': '' });
  assert.deepEqual(heldDisksAmong(readOpenFiles(fixture.root), fixture.root), []);
});
