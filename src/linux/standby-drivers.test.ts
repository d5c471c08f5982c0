// What the standby has no driver for, from a directory that looks like /sys and the agent's root.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { undrivenByStandby } from '#linux/standby-drivers.ts';

const table = `alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e
alias pci:v*d*sv*sd*bc0Csc03i30* xhci_pci
alias pci:v*d*sv*sd*bc01sc08i02* nvme
alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* usb_storage
alias scsi:t-0x00* sd_mod
alias virtio:d00000001v* virtio_net
builtin virtio_pci
`;

/** Devices one in the other below the first bus, the last with a name below /sys/class; each [name, modalias, driver]. */
function chain(link: string, ...devices: readonly (readonly [string, string, string?])[]): Tree {
  let at = 'sys/devices/pci0000:00';
  const tree: Record<string, Tree[string]> = {};
  for (const [name, modalias, driver] of devices) {
    at = `${at}/${name}`;
    tree[`${at}/uevent`] = '';
    if (modalias) tree[`${at}/modalias`] = `${modalias}\n`;
    if (driver) {
      tree[`sys/drivers/${driver}/bind`] = '';
      tree[`${at}/driver`] = { link: `sys/drivers/${driver}` };
    }
  }
  return { ...tree, [link]: { link: at } };
}

function undriven(device: string, ...trees: readonly Tree[]) {
  using tree = new FixtureTree(Object.assign({ 'standby/drivers': table }, ...trees) as Tree);
  return undrivenByStandby(device, tree.root);
}

const port = ['0000:00:1c.0', 'pci:v00008086d0000A110sv00000000sd00000000bc06sc04i00', 'pcieport'] as const;
const net = 'sys/class/net/eth0';
const disk = 'sys/class/block/sda1';

test('a card that the standby has a module for, behind a bridge', () => {
  const e1000e = 'pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00';
  assert.deepEqual(
    undriven(net, chain(net, port, ['0000:02:00.0', e1000e, 'e1000e'], ['net', ''], ['eth0', ''])),
    [],
  );
});

test('a card newer than the kernel of the standby has a driver here only', () => {
  const newer = 'pci:v00008086d0000550Asv00008086sd00000000bc02sc00i00';
  assert.deepEqual(undriven(net, chain(net, port, ['0000:02:00.0', newer, 'e1000e'], ['eth0', ''])), [
    { at: '0000:02:00.0', driver: 'e1000e' },
  ]);
});

test('what is built in is known by the driver here; what is behind it needs one too', () => {
  const virtio = (type: string, driver: string): Tree =>
    chain(
      net,
      ['0000:00:03.0', 'pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00', 'virtio-pci'],
      ['virtio0', `virtio:d0000000${type}v00001AF4`, driver],
      ['eth0', ''],
    );
  assert.deepEqual(undriven(net, virtio('1', 'virtio_net')), []);
  assert.deepEqual(undriven(net, virtio('8', 'virtio_scsi')), [{ at: 'virtio0', driver: 'virtio_scsi' }]);
});

test('a USB disk: controller, interface and disk', () => {
  const usb = chain(
    disk,
    ['0000:00:14.0', 'pci:v00008086d0000A12Fsv00008086sd00000000bc0Csc03i30', 'xhci_hcd'],
    ['usb1', ''],
    ['1-2', ''],
    ['1-2:1.0', 'usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip50in00', 'usb-storage'],
    ['host0', ''],
    ['0:0:0:0', 'scsi:t-0x00', 'sd'],
    ['sda', ''],
    ['sda1', ''],
  );
  assert.deepEqual(undriven(disk, usb), []);
});

test('an NVMe disk behind a controller (VMD) that the standby does not know', () => {
  const vmd = chain(
    disk,
    ['0000:00:0e.0', 'pci:v00008086d00009A0Bsv00008086sd00000000bc01sc04i00', 'vmd'],
    ['pci10000:e0', ''],
    ['10000:e1:00.0', 'pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02', 'nvme'],
    ['nvme0n1', ''],
  );
  assert.deepEqual(undriven(disk, vmd), [{ at: '0000:00:0e.0', driver: 'vmd' }]);
});

test('without the table, or without the device, nothing is known', () => {
  using tree = new FixtureTree(chain(net, ['0000:02:00.0', 'pci:x', 'other']));
  assert.deepEqual(undrivenByStandby(net, tree.root), []);
  assert.deepEqual(undriven('sys/class/net/eth7'), []);
});
