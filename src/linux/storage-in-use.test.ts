// Swap and mounts, and which of them go with the OS, from a directory that looks like /proc and /sys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FixtureTree } from '#linux/fixture-tree.ts';
import {
  devicesBesideRoot,
  isBehindStub,
  parseMounts,
  parseSwaps,
  readOtherMounts,
  readSwaps,
  readZfsMounts,
  rootDevice,
} from '#linux/storage-in-use.ts';

const mounts = `sysfs /sys sysfs rw 0 0
/dev/mapper/yado-root / ext4 rw,relatime 0 0
/dev/sda1 /boot/efi vfat rw 0 0
/dev/sda3 /home/my\\040files/backup btrfs rw 0 0
/dev/sda3 /home btrfs rw 0 0
/dev/mapper/vg-data /data ext4 rw 0 0
/dev/loop0 /snap/x squashfs ro 0 0
server:/export /mnt nfs4 rw 0 0
/dev/fuse /run/user/1000/doc fuse.portal rw 0 0
`;
const tree = {
  'proc/1/mounts': mounts,
  'proc/swaps': `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/vda2                               partition\t1048572\t\t512\t\t-2
/dev/dm-1                               partition\t1048572\t\t0\t\t-3
/dev/dm-2                               partition\t1048572\t\t0\t\t-3
/dev/zram0                              partition\t1048572\t\t4\t\t100
/swap\\040file                           file\t\t1048572\t\t8\t\t-4
/home/swapfile                          file\t\t1048572\t\t0\t\t-5
`,
  'sys/class/block/dm-1/dm/name': 'vg-swap\n',
  'sys/class/block/dm-2/dm/name': 'yado-swap\n',
};

test('swap goes with the OS in memory and behind a stub, also as a file there', () => {
  using fixture = new FixtureTree(tree);
  assert.deepEqual(readSwaps(fixture.root), [
    { path: '/dev/vda2', kind: 'disk', usedBytes: 512 * 1024, isDevice: true, priority: -2 },
    { path: '/dev/dm-1', kind: 'disk', usedBytes: 0, isDevice: true, priority: -3 },
    { path: '/dev/dm-2', kind: 'stub', usedBytes: 0, isDevice: true, priority: -3 },
    { path: '/dev/zram0', kind: 'memory', usedBytes: 4096, isDevice: true, priority: 100 },
    { path: '/swap file', kind: 'stub', usedBytes: 8192, isDevice: false, priority: -4 },
    { path: '/home/swapfile', kind: 'disk', usedBytes: 0, isDevice: false, priority: -5 },
  ]);
});

test('all that lies in an encrypted disk on the stub goes with the OS; what lies past it, or on more than it, does not', () => {
  using fixture = new FixtureTree({
    'proc/1/mounts': '/dev/mapper/crab-root / ext4 rw 0 0\n/dev/mapper/crab-home /home ext4 rw 0 0\n',
    'proc/swaps': 'Filename Type Size Used Priority\n/dev/dm-3 partition 100 8 -2\n',
    'sys/class/block/dm-0/dm/name': 'yado-root\n',
    'sys/class/block/dm-0/slaves/vda2': '',
    'sys/class/block/dm-1/dm/name': 'vda2_crypt\n',
    'sys/class/block/dm-1/slaves/dm-0': '',
    'sys/class/block/dm-2/dm/name': 'crab-root\n',
    'sys/class/block/dm-2/slaves/dm-1': '',
    'sys/class/block/dm-3/dm/name': 'crab-swap\n',
    'sys/class/block/dm-3/slaves/dm-1': '',
    'sys/class/block/dm-4/dm/name': 'crab-home\n',
    'sys/class/block/dm-4/slaves/dm-1': '',
    'sys/class/block/dm-4/slaves/vdb': '',
  });
  assert.ok(isBehindStub('/', fixture.root));
  assert.equal(rootDevice(fixture.root), '/dev/mapper/crab-root');
  assert.equal(readSwaps(fixture.root)[0]?.kind, 'stub');
  assert.deepEqual(readOtherMounts(fixture.root), [{ device: '/dev/mapper/crab-home', path: '/home' }]);
});

test('mounts on disks that stay: once each, without the root, what lies in files, and the network', () => {
  using fixture = new FixtureTree(tree);
  assert.deepEqual(readOtherMounts(fixture.root), [
    { device: '/dev/sda1', path: '/boot/efi' },
    { device: '/dev/sda3', path: '/home' },
    { device: '/dev/mapper/vg-data', path: '/data' },
  ]);
});

test('file systems of ZFS', () => {
  using fixture = new FixtureTree({
    'proc/1/mounts': `${mounts}tank/a\\040b /srv/a\\040b zfs rw,xattr 0 0\n`,
  });
  assert.deepEqual(readZfsMounts(fixture.root), ['/srv/a b']);
  assert.equal(
    readOtherMounts(fixture.root).some(each => each.path.startsWith('/srv')),
    false,
  );
});

test('nothing there, or anything at all, is no error', () => {
  using fixture = new FixtureTree({ 'proc/cmdline': '' });
  assert.deepEqual([readSwaps(fixture.root), readOtherMounts(fixture.root)], [[], []]);
  fc.assert(
    fc.property(fc.string(), text => Array.isArray(parseSwaps(text)) && Array.isArray(parseMounts(text))),
  );
});

test('a root file system of several devices: those beside its own', () => {
  const btrfs = 'sys/fs/btrfs/0c5a9b1f-0e4c-4f8c-8b7a-6d9e3f1a24c0/devices';
  const other = 'sys/fs/btrfs/1111/devices';
  const disks = {
    'sys/fs/btrfs/features/raid56': '0\n',
    [`${other}/sdc`]: '',
    [`${other}/sdd`]: '',
  };
  using stub = new FixtureTree({
    ...disks,
    'proc/1/mounts': '/dev/mapper/yado-root / btrfs rw 0 0\n',
    'sys/class/block/dm-0/dm/name': 'yado-root\n',
    [`${btrfs}/dm-0`]: '',
    [`${btrfs}/sdb1`]: '',
  });
  assert.deepEqual(devicesBesideRoot(stub.root), ['sdb1']);
  using bare = new FixtureTree({
    ...disks,
    'proc/1/mounts': '/dev/sda2 / btrfs rw 0 0\n',
    [`${btrfs}/sda2`]: '',
  });
  assert.deepEqual(devicesBesideRoot(bare.root), []);
  using ext4 = new FixtureTree({ 'proc/1/mounts': '/dev/sda2 / ext4 rw 0 0\n' });
  assert.deepEqual(devicesBesideRoot(ext4.root), []);
});
