// Disks by name, from trees as the kernel makes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disksCalled, disksNamed, listDisks, namesOfDisk } from './disk-names.ts';
import { FixtureTree } from './fixture-tree.ts';

const pci = 'sys/devices/pci0000:00';
const virtio = `${pci}/0000:00:06.0/virtio2/block/vda`;
const sata = `${pci}/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0`;
const nvme = `${pci}/0000:00:07.0/nvme/nvme0`;

const tree = () =>
  new FixtureTree({
    [`${virtio}/dev`]: '254:0\n',
    [`${virtio}/size`]: '8192\n',
    [`${virtio}/serial`]: 'spare-b',
    [`${virtio}/vda2/dev`]: '254:2\n',
    [`${virtio}/vda2/partition`]: '2\n',
    [`${virtio}/vda2/size`]: '4096\n',
    'sys/class/block/vda': { link: virtio },
    'sys/class/block/vda2': { link: `${virtio}/vda2` },
    [`${sata}/model`]: 'QEMU HARDDISK   \n',
    [`${sata}/wwid`]: 'naa.5000c500a1b2c3d4\n',
    [`${sata}/vpd_pg80`]: '\0\0\0\x14             QM00005',
    [`${sata}/block/sda/dev`]: '8:0\n',
    [`${sata}/block/sda/size`]: '8192\n',
    [`${sata}/block/sda/device`]: { link: sata },
    'sys/class/block/sda': { link: `${sata}/block/sda` },
    [`${nvme}/model`]: 'QEMU NVMe Ctrl                          \n',
    [`${nvme}/serial`]: 'deadbeef            \n',
    [`${nvme}/nvme0n1/dev`]: '259:0\n',
    [`${nvme}/nvme0n1/size`]: '8192\n',
    [`${nvme}/nvme0n1/wwid`]: 'eui.0025385b71b0a1c2\n',
    [`${nvme}/nvme0n1/device`]: { link: nvme },
    'sys/class/block/nvme0n1': { link: `${nvme}/nvme0n1` },
    'sys/devices/virtual/block/dm-0/dev': '253:0\n',
    'sys/devices/virtual/block/dm-0/size': '8192\n',
    'sys/class/block/dm-0': { link: 'sys/devices/virtual/block/dm-0' },
  });

test('disks have the names that udev gives them', () => {
  using sys = tree();
  assert.deepEqual(namesOfDisk('vda', sys.root), ['virtio-spare-b', 'spare-b']);
  assert.deepEqual(namesOfDisk('sda', sys.root), [
    'wwn-0x5000c500a1b2c3d4',
    'ata-QEMU_HARDDISK_QM00005',
    'QM00005',
  ]);
  assert.deepEqual(namesOfDisk('nvme0n1', sys.root), [
    'nvme-QEMU_NVMe_Ctrl_deadbeef',
    'nvme-eui.0025385b71b0a1c2',
    'deadbeef',
  ]);
  assert.deepEqual(
    listDisks(sys.root).map(each => each.name),
    ['nvme0n1', 'sda', 'vda'],
  );
});

test('a name stands for one disk or one partition', () => {
  using sys = tree();
  const named = (name: string): string[] => disksNamed(name, sys.root).map(each => each.name);
  assert.deepEqual(named('/dev/disk/by-id/virtio-spare-b'), ['vda']);
  assert.deepEqual(named('spare-b'), ['vda']);
  assert.deepEqual(named('virtio-spare-b-part2'), ['vda2']);
  assert.deepEqual(named('virtio-spare-b-part7'), []);
  assert.deepEqual(named('scsi-0ATA_QEMU_HARDDISK_QM00005'), ['sda']);
  assert.deepEqual(named('wwn-0x5000c500a1b2c3d4'), ['sda']);
  for (const none of ['spare', 'vda', 'virtio-spare-bb', 'QM0000', '/dev/vda', 'dm-0'])
    assert.deepEqual(named(none), []);
});

test('two disks of one serial number are two', () => {
  using sys = new FixtureTree({
    [`${virtio}/dev`]: '254:0\n',
    [`${virtio}/size`]: '8\n',
    [`${virtio}/serial`]: 'same',
    'sys/class/block/vda': { link: virtio },
    [`${virtio.replace('vda', 'vdb')}/dev`]: '254:16\n',
    [`${virtio.replace('vda', 'vdb')}/size`]: '8\n',
    [`${virtio.replace('vda', 'vdb')}/serial`]: 'same',
    'sys/class/block/vdb': { link: virtio.replace('vda', 'vdb') },
  });
  assert.equal(disksNamed('same', sys.root).length, 2);
});

/** A controller whose disks were found in one order or the other: the kernel's names are given as they come. */
const twoDisks = (first: string, second: string) =>
  new FixtureTree(
    Object.fromEntries(
      [first, second].flatMap((serial, index) => {
        const at = `${pci}/0000:00:06.0/virtio2/block/vd${'ab'[index]}`;
        return [
          [`${at}/dev`, `254:${16 * index}\n`],
          [`${at}/size`, '8\n'],
          [`${at}/serial`, serial],
          [`sys/class/block/vd${'ab'[index]}`, { link: at }],
        ];
      }),
    ),
  );
const behindIt = { pciAddress: '0000:00:06.0' };

test('a disk is known by its name, wherever it is when its controller was found anew', () => {
  const called = (name: string, first: string, second: string): string[] => {
    using sys = twoDisks(first, second);
    return disksCalled(name, behindIt, sys.root).map(each => each.name);
  };
  assert.deepEqual(called('virtio-spare', 'windows', 'spare'), ['vdb']);
  assert.deepEqual(called('virtio-spare', 'spare', 'windows'), ['vda']);
  assert.deepEqual(called('virtio-spare', 'windows', 'other'), [], 'another one is in its place');
  assert.deepEqual(called('virtio-spare', 'spare', 'spare'), ['vda', 'vdb']);
  assert.deepEqual(called('sdx', '', ''), [], 'neither says which one it is');
});
