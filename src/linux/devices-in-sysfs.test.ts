// PCI, block and display lists, from a directory that looks like /sys of a lab computer.
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  describeName,
  dmUuid,
  findBlockDevice,
  findDmDevice,
  listBlockDevices,
  nodePath,
} from '#linux/block.ts';
import { listDrmCards, listFramebuffers, listVtConsoles } from '#linux/display.ts';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { isKexecAllowed, isKexecLoaded } from '#linux/kexec.ts';
import { listPciDevices } from '#linux/pci.ts';
import { setFreezeTimeout, settingsForMove } from '#linux/power.ts';
import { readText } from '#linux/sysfs.ts';

const PCI = 'sys/devices/pci0000:00';

function pci(address: string, vendor: string, device: string, pciClass: string, driver?: string): Tree {
  const at = `${PCI}/${address}`;
  return {
    [`${at}/vendor`]: `${vendor}\n`,
    [`${at}/device`]: `${device}\n`,
    [`${at}/class`]: `${pciClass}\n`,
    [`${at}/subsystem_vendor`]: '0x1af4\n',
    [`${at}/subsystem_device`]: '0x1100\n',
    [`${at}/modalias`]: `pci:${vendor}:${device}\n`,
    [`sys/bus/pci/devices/${address}`]: { link: at },
    ...(driver !== undefined && { [`${at}/driver`]: { link: `sys/bus/pci/drivers/${driver}` } }),
  };
}

function disk(name: string, path: string, number: string, sectors: number, extra: Tree = {}): Tree {
  return {
    [`${path}/dev`]: `${number}\n`,
    [`${path}/size`]: `${sectors}\n`,
    [`${path}/ro`]: '0\n',
    [`sys/class/block/${name}`]: { link: path },
    [`sys/dev/block/${number}`]: { link: path },
    ...Object.fromEntries(Object.entries(extra).map(([file, content]) => [`${path}/${file}`, content])),
  };
}

const VDA = `${PCI}/0000:00:06.0/virtio2/block/vda`;
const AHCI = `${PCI}/0000:00:1f.2`;
const TREE: Tree = {
  ...pci('0000:00:02.0', '0x1234', '0x1111', '0x030000', 'bochs-drm'),
  ...pci('0000:00:05.0', '0x1af4', '0x1000', '0x020000', 'virtio-pci'),
  ...pci('0000:00:06.0', '0x1af4', '0x1001', '0x010000', 'virtio-pci'),
  ...pci('0000:00:1f.2', '0x8086', '0x2922', '0x010601'),
  [`${PCI}/0000:00:05.0/virtio1/net/eth0/address`]: '52:54:00:00:00:0a\n',
  'sys/class/net/eth0': { link: `${PCI}/0000:00:05.0/virtio1/net/eth0` },
  ...disk('vda', VDA, '254:0', 2097152, { 'queue/logical_block_size': '512\n' }),
  ...disk('vda1', `${VDA}/vda1`, '254:1', 1048576, { partition: '1\n' }),
  ...disk('vda10', `${VDA}/vda10`, '254:10', 1024, { partition: '10\n' }),
  ...disk('sda', `${AHCI}/ata1/host0/target0:0:0/0:0:0:0/block/sda`, '8:0', 4096),
  ...disk('sdb', `${AHCI}/ata2/host1/target1:0:0/1:0:0:0/block/sdb`, '8:16', 8192),
  ...disk('dm-0', 'sys/devices/virtual/block/dm-0', '253:0', 1048576, {
    'dm/name': 'root\n',
    'dm/uuid': 'LVM-ab\n',
    'slaves/vda1': { link: `${VDA}/vda1` },
  }),
  ...disk('dm-1', 'sys/devices/virtual/block/dm-1', '253:1', 1048576, {
    'dm/name': 'yado-root\n',
    'dm/uuid': '\n',
    'slaves/dm-0': { link: 'sys/devices/virtual/block/dm-0' },
  }),
  ...disk('nbd0', 'sys/devices/virtual/block/nbd0', '43:0', 0),
  [`${PCI}/0000:00:02.0/graphics/fb0/name`]: 'bochs-drmdrmfb\n',
  [`${PCI}/0000:00:02.0/graphics/fb0/virtual_size`]: '1280,800\n',
  [`${PCI}/0000:00:02.0/graphics/fb0/bits_per_pixel`]: '32\n',
  'sys/class/graphics/fb0': { link: `${PCI}/0000:00:02.0/graphics/fb0` },
  [`${PCI}/0000:00:02.0/drm/card0/device`]: { link: `${PCI}/0000:00:02.0` },
  [`${PCI}/0000:00:02.0/drm/card0/card0-Virtual-1/status`]: 'connected\n',
  [`${PCI}/0000:00:02.0/drm/card0/card0-Virtual-1/enabled`]: 'enabled\n',
  [`${PCI}/0000:00:02.0/drm/card0/card0-Virtual-1/modes`]: '1280x800\n1024x768\n1024x768\n',
  'sys/class/drm/card0': { link: `${PCI}/0000:00:02.0/drm/card0` },
  'sys/class/drm/card0-Virtual-1': { link: `${PCI}/0000:00:02.0/drm/card0/card0-Virtual-1` },
  'sys/class/drm/version': 'drm 1.1.0 20060810\n',
  'sys/class/vtconsole/vtcon0/name': '(S) dummy device\n',
  'sys/class/vtconsole/vtcon0/bind': '0\n',
  'sys/class/vtconsole/vtcon1/name': '(M) frame buffer device\n',
  'sys/class/vtconsole/vtcon1/bind': '1\n',
  'sys/bus/pci/drivers/bochs-drm/x': '',
  'sys/bus/pci/drivers/virtio-pci/x': '',
  'sys/kernel/kexec_loaded': '0\n',
  'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
  'sys/power/pm_test': '[none] core processors platform devices freezer\n',
  'sys/power/pm_freeze_timeout': '20000\n',
  'proc/cmdline': 'quiet hibernate=no\n',
};

test('PCI devices tell what hangs on them', () => {
  using tree = new FixtureTree(TREE);
  const devices = listPciDevices(tree.root);
  assert.deepEqual(
    devices.map(device => [
      device.address,
      device.driver,
      device.netNames,
      device.blockNames,
      device.drmCards,
      device.framebuffers,
    ]),
    [
      ['0000:00:02.0', 'bochs-drm', [], [], ['card0'], ['fb0']],
      ['0000:00:05.0', 'virtio-pci', ['eth0'], [], [], []],
      ['0000:00:06.0', 'virtio-pci', [], ['vda'], [], []],
      ['0000:00:1f.2', undefined, [], ['sda', 'sdb'], [], []],
    ],
  );
  assert.deepEqual([devices[0]?.vendor, devices[0]?.device, devices[0]?.class], [0x1234, 0x1111, 0x030000]);
  assert.deepEqual(listPciDevices('/nonexistent'), []);
});

test('a disk is found again by its place, whatever it is called', () => {
  using tree = new FixtureTree(TREE);
  const partition = describeName('vda1', tree.root);
  assert.deepEqual(partition.place, { pciAddress: '0000:00:06.0', partition: 1 });
  assert.equal(partition.sizeBytes, 512 * 1048576);
  assert.equal(partition.disk, 'vda');
  assert.equal(findBlockDevice({ pciAddress: '0000:00:06.0', partition: 10 }, tree.root)?.name, 'vda10');
  assert.equal(findBlockDevice({ pciAddress: '0000:00:06.0', partition: 3 }, tree.root), undefined);
  const root = describeName('dm-0', tree.root);
  assert.equal(root.dmName, 'root');
  assert.equal(root.place, undefined);
  assert.deepEqual(root.slaves, ['vda1']);
  assert.equal(findDmDevice('LVM-ab', tree.root)?.name, 'dm-0');
  assert.equal(findDmDevice('LVM-cd', tree.root), undefined);
  assert.deepEqual(
    ['dm-0', 'dm-1', 'vda'].map(name => dmUuid(name, tree.root)),
    ['LVM-ab', '', undefined],
  );
  assert.equal(
    findBlockDevice({ pciAddress: '0000:00:06.0', partition: 1, volume: 'LVM-ab' }, tree.root),
    undefined,
    'the disk beneath a volume is not the volume',
  );
  assert.ok(
    !listBlockDevices(tree.root).some(device => device.name === 'nbd0'),
    'unattached devices are left out',
  );
  assert.throws(() => describeName('vdz', tree.root), /does not exist/);
  assert.equal(nodePath('cciss!c0d0'), '/dev/cciss/c0d0');
});

test('of two disks behind one controller each is found again by what it says of itself', () => {
  const at = {
    sda: `${AHCI}/ata1/host0/target0:0:0/0:0:0:0/block/sda`,
    sdb: `${AHCI}/ata2/host1/target1:0:0/1:0:0:0/block/sdb`,
  };
  const said = (sda?: string, sdb?: string): FixtureTree =>
    new FixtureTree({
      ...TREE,
      ...(sda !== undefined && { [`${at.sda}/device/wwid`]: `${sda}\n` }),
      ...(sdb !== undefined && { [`${at.sdb}/device/wwid`]: `${sdb}\n` }),
    });
  using before = said('t10.ATA one', 't10.ATA two');
  const places = ['sda', 'sdb'].map(name => describeName(name, before.root).place!);
  assert.match(places[0]!.identity!, /^[0-9a-f]{16}$/);
  // Whichever comes first after the controller was found again.
  using after = said('t10.ATA two', 't10.ATA one');
  assert.deepEqual(
    places.map(place => findBlockDevice(place, after.root)?.name),
    ['sdb', 'sda'],
  );
  using early = said('t10.ATA two');
  assert.equal(findBlockDevice(places[0]!, early.root), undefined, 'its own disk is not there yet');
  // Disks that say nothing, or the same: rather none than the wrong one.
  using silent = new FixtureTree(TREE);
  assert.equal(findBlockDevice(describeName('sda', silent.root).place!, silent.root), undefined);
  using same = said('t10.ATA bridge', 't10.ATA bridge');
  assert.equal(findBlockDevice(describeName('sdb', same.root).place!, same.root), undefined);
});

test('displays', () => {
  using tree = new FixtureTree(TREE);
  assert.deepEqual(listFramebuffers(tree.root), [
    {
      index: 0,
      name: 'bochs-drmdrmfb',
      width: 1280,
      height: 800,
      bitsPerPixel: 32,
      pciAddress: '0000:00:02.0',
    },
  ]);
  assert.deepEqual(
    listVtConsoles(tree.root).map(console => console.bound),
    [false, true],
  );
  assert.deepEqual(listDrmCards(tree.root), [
    {
      index: 0,
      driver: 'bochs-drm',
      vendor: 0x1234,
      device: 0x1111,
      pciAddress: '0000:00:02.0',
      connectors: [{ name: 'Virtual-1', connected: true, enabled: true, modes: ['1280x800', '1024x768'] }],
    },
  ]);
});

test('settings of kexec and of the freeze', () => {
  using tree = new FixtureTree(TREE);
  assert.equal(isKexecAllowed(tree.root), true);
  assert.equal(isKexecLoaded(tree.root), false);
  setFreezeTimeout(3000, tree.root);
  assert.throws(() => setFreezeTimeout(3000, '/nonexistent'), { code: 'ENOENT' });
});

test('what a move sets in the kernel is as it was behind it; a kernel without huge pages moves too', () => {
  const own = {
    'sys/power/image_size': '427819008\n',
    'sys/power/pm_freeze_timeout': '20000\n',
    'sys/power/pm_async': '0\n',
  };
  const hugePages = { 'sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_swap': '64\n' };
  for (const files of [{ ...own, ...hugePages }, own]) {
    using tree = new FixtureTree(files);
    const values = () => Object.keys(files).map(file => readText(tree.root, file));
    const before = values();
    {
      using _ = settingsForMove(tree.root);
      assert.deepEqual(values(), ['4611686018427387904', '5000', '1', '0'].slice(0, before.length));
    }
    assert.deepEqual(values(), before);
  }
});

test('what a move has set is put back when the kernel does not take the rest', () => {
  using tree = new FixtureTree({
    'sys/power/image_size': '427819008\n',
    'sys/power/pm_freeze_timeout': '20000\n',
  });
  symlinkSync('/proc/version', join(tree.root, 'sys/power/pm_async')); // can be read, and not written
  assert.throws(() => settingsForMove(tree.root), { code: 'EIO' });
  assert.equal(readText(tree.root, 'sys/power/image_size'), '427819008');
});

test('a namespace of an NVMe subsystem sits at its controller, when there is but one', () => {
  const controller = (address: string, name: string) => `sys/devices/pci0000:00/${address}/nvme/${name}`;
  const subsystem = 'sys/devices/virtual/nvme-subsystem/nvme-subsys0';
  const files = {
    [`${subsystem}/nvme0n1/dev`]: '259:1\n',
    [`${subsystem}/nvme0n1/size`]: '2048\n',
    [`${subsystem}/nvme0n1/wwid`]: 'nvme.yado\n',
    [`${subsystem}/nvme0`]: { link: controller('0000:00:06.0', 'nvme0') },
    'sys/class/nvme-subsystem/nvme-subsys0': { link: subsystem },
    'sys/class/block/nvme0n1': { link: `${subsystem}/nvme0n1` },
    [`${controller('0000:00:06.0', 'nvme0')}/nvme0c0n1/size`]: '2048\n',
    'sys/class/block/nvme0c0n1': { link: `${controller('0000:00:06.0', 'nvme0')}/nvme0c0n1` },
  };
  using tree = new FixtureTree(files);
  const [disk, another] = listBlockDevices(tree.root);
  assert.deepEqual([disk?.name, disk?.place?.pciAddress, another], ['nvme0n1', '0000:00:06.0', undefined]);
  assert.ok(disk?.place);
  assert.equal(findBlockDevice(disk.place, tree.root)?.name, 'nvme0n1');
  using several = new FixtureTree({
    ...files,
    [`${controller('0000:00:07.0', 'nvme1')}/state`]: 'live\n',
    [`${subsystem}/nvme1`]: { link: controller('0000:00:07.0', 'nvme1') },
  });
  assert.equal(listBlockDevices(several.root)[0]?.place, undefined);
});
