// Which cards programs hold, from a directory that looks like /proc and /sys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { readHeldCards } from '#linux/held-cards.ts';

const pci = 'sys/devices/pci0000:00';

/** A program that has these files open. */
const program = (pid: number, name: string, ...files: readonly string[]): Tree => ({
  [`proc/${pid}/comm`]: `${name}\n`,
  ...Object.fromEntries(files.map((link, at) => [`proc/${pid}/fd/${at}`, { link }])),
});
/** A device with a link to it below /sys. */
const device = (link: string, at: string): Tree => ({
  [`${at}/uevent`]: '',
  [link]: { link: at },
});
/** A function with a driver. */
const driven = (address: string, driver: string): Tree => ({
  [`${pci}/${address}/driver`]: { link: `sys/bus/pci/drivers/${driver}` },
  [`sys/bus/pci/drivers/${driver}/bind`]: '',
  [`sys/bus/pci/devices/${address}`]: { link: `${pci}/${address}` },
});

function held(...trees: readonly Tree[]) {
  using tree = new FixtureTree(Object.assign({}, ...trees) as Tree);
  return readHeldCards(tree.root);
}

test('a sound card behind bridges, held by two programs by several files', () => {
  const card = `${pci}/0000:00:1c.0/0000:02:00.0`;
  assert.deepEqual(
    held(
      device('sys/bus/pci/devices/0000:02:00.0', card),
      device('sys/class/sound/controlC0', `${card}/sound/card0/controlC0`),
      device('sys/class/sound/pcmC0D0p', `${card}/sound/card0/pcmC0D0p`),
      device('sys/class/sound/timer', 'sys/devices/virtual/sound/timer'),
      program(812, 'pipewire', 'dev/snd/pcmC0D0p', 'dev/snd/controlC0', 'dev/snd/controlC0', 'dev/snd/timer'),
      program(813, 'wireplumber', 'dev/snd/controlC0'),
      program(900, 'cat', 'home/snd/controlC0', 'dev/null', 'dev/snd/controlC7'),
    ),
    [
      {
        pciAddress: '0000:02:00.0',
        bridges: ['0000:00:1c.0'],
        device: '/dev/snd/controlC0',
        programs: ['pipewire (pid 812)', 'wireplumber (pid 813)'],
      },
    ],
  );
});

test('a sound card on USB goes while it is held; the container of a program is looked into', () => {
  const usb = `${pci}/0000:00:14.0/usb1/1-2/1-2:1.0/sound/card1/controlC1`;
  const smbus = `${pci}/0000:00:1f.4/i2c-0/i2c-dev/i2c-0`;
  const found = held(
    device('sys/class/sound/controlC1', usb),
    device('sys/class/i2c-dev/i2c-0', smbus),
    program(5, 'pulseaudio', 'dev/snd/controlC1'),
    program(6, 'ddcutil', 'var/lib/lxc/a/rootfs/dev/i2c-0'),
  );
  assert.deepEqual(
    found.map(each => [each.pciAddress, each.device, each.programs]),
    [['0000:00:1f.4', '/dev/i2c-0', ['ddcutil (pid 6)']]],
  );
});

test('cards given to a virtual machine, of NVIDIA, for television, on FireWire', () => {
  const found = held(
    driven('0000:01:00.0', 'nvidia'),
    driven('0000:01:00.1', 'snd_hda_intel'),
    driven('0000:03:00.0', 'vfio-pci'),
    driven('0000:03:00.1', 'pcieport'),
    ...['0000:03:00.0', '0000:03:00.1'].map(address =>
      device(`sys/kernel/iommu_groups/12/devices/${address}`, `${pci}/${address}`),
    ),
    device('sys/class/dvb/dvb0.demux0', `${pci}/0000:04:00.0/dvb/dvb0.demux0`),
    device('sys/class/dvb/dvb0.frontend0', `${pci}/0000:06:00.0/dvb/dvb0.frontend0`),
    device('sys/bus/firewire/devices/fw1', `${pci}/0000:05:00.0/fw1`),
    program(7, 'qemu-system-x86', 'dev/vfio/vfio', 'dev/vfio/12'),
    program(8, 'Xorg', 'dev/nvidiactl', 'dev/nvidia0'),
    program(9, 'vdr', 'dev/dvb/adapter0/demux0', 'dev/dvb/adapter0/frontend0'),
    program(10, 'jackd', 'dev/fw1'),
  );
  assert.deepEqual(
    found.map(each => [each.pciAddress, each.device]),
    [
      ['0000:01:00.0', '/dev/nvidia0'],
      ['0000:03:00.0', '/dev/vfio/12'],
      ['0000:04:00.0', '/dev/dvb/adapter0/demux0'],
      ['0000:05:00.0', '/dev/fw1'],
    ],
  );
});
