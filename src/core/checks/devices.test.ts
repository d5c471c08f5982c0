// Checks of devices and programs: what each finds, on which computer, and that it says so in a sentence with something to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WayDecision } from '../device-ways.ts';
import { alpha, beta, diskA, hostBridge, nic, plainOs, usb, vgaA, vgaB } from '../fixture-computers.ts';
import type { OsState } from '../os-state.ts';
import { deviceChecks } from './devices.ts';
import { type Case, diskPlan, found, foundIds, lookAt, tryGroup } from './fixture-cases.ts';

const way = (change: Partial<WayDecision>): WayDecision => ({
  device: 'network0',
  class: 'network',
  way: 'direct',
  computer: 'beta',
  reason: 'beta has no network',
  ...change,
});
const sound = { ...vgaA, address: '0000:00:1b.0', class: 0x040300 };
const bridge = { ...vgaA, address: '0000:00:1c.0', class: 0x060400 };
const heldSound = {
  pciAddress: sound.address,
  bridges: [],
  device: '/dev/snd/controlC0',
  programs: ['pipewire (pid 812)'],
};

const cases: readonly Case[] = [
  {
    id: 'disk-mark',
    os: { unmarkable: 'something else lies in the first 1024 bytes of the disk' },
    says: /^The disk of alpha cannot be marked as left: something else lies/,
  },
  { id: 'nic', b: { nic: null }, says: /^beta has no network card/ },
  {
    id: 'nic-driver',
    request: { missingDrivers: [{ address: nic.address, modalias: 'pci:x' }] },
    says: /no driver for the network card of beta \(pci:x\)/,
  },
  {
    id: 'network-bridge',
    a: { nic: null },
    os: { ports: [] },
    says: /no bridge os0/,
    hint: /^set it up as step 3 /,
  },
  { id: 'nic', a: { nic: null }, says: /^alpha has no network card that works\.$/ },
  {
    id: 'network-card', // a bond, a VLAN
    a: { nic: { ...alpha.nic!, name: 'bond0', pciAddress: null } },
    says: /^The network card of alpha that the OS travels over \(bond0\) is no PCI card: it would not be found again\.$/,
  },
  {
    id: 'network-card', // at USB, though there is a card on PCI too
    b: { pci: [...beta.pci, usb], nic: { ...beta.nic!, pciAddress: usb.address } },
    request: { ways: [way({ way: 'converted' })] },
    says: /^The network card of beta \(eth0\) is no PCI card: the OS could not find it there\.$/,
    hint: /^start beta with yado\.nic=/,
  },
  {
    id: 'network-card',
    b: { nic: { ...beta.nic!, pciAddress: null } },
    says: /of beta \(eth0\) is no PCI card/,
  },
  {
    id: 'network-ports',
    os: { ports: ['eth1', 'eth0', 'eth2'].map(name => ({ name, isCard: true })) },
    says: /^Several cards of alpha are in the bridge os0: eth1, eth0, eth2\.$/,
    hint: /^ip link set eth1 nomaster; ip link set eth2 nomaster; and in .*20-nic\.network: Name=eth0$/,
  },
  {
    id: 'network-reach',
    a: { nic: { ...alpha.nic!, address: '10.0.1.11/24' } },
    b: { nic: { ...beta.nic!, address: '10.0.2.12/16' } },
    says: /^The machine addresses of alpha \(10\.0\.1\.11\/24\) and beta \(10\.0\.2\.12\/16\) do not lie in one network/,
    hint: /prefix length/,
  },
  {
    id: 'network-way',
    request: { ways: [way({ way: 'lost' })] },
    says: /no network on beta: beta has no network/,
  },
  { id: 'disk-stub', os: { classes: ['network'] }, says: /does not lie on the stub/, hint: /yado\.root=/ },
  {
    id: 'disk-volume',
    os: { rootTrouble: { kind: 'mirrored', volume: 'crab/root' } },
    says: /of the OS on alpha cannot move: the volume crab\/root is mirrored/,
    hint: /^lvconvert -m0 crab\/root /,
  },
  {
    id: 'disk-volume',
    os: {
      classes: ['network'],
      rootTrouble: { kind: 'unreadable', volume: 'crab/root', reason: 'it is damaged' },
    },
    says: /of crab\/root cannot be used: it is damaged\.$/,
  },
  {
    id: 'standby-drivers',
    os: { undriven: [{ class: 'network', at: nic.address, driver: 'bnx2x' }] },
    says: /^The standby that alpha becomes behind the OS has no driver for 0000:00:03\.0 \(bnx2x\), over which/,
  },
  {
    id: 'standby-drivers',
    os: { undriven: [{ class: 'disk', at: diskA.address, driver: 'mpi3mr' }] },
    says: /no driver for 0000:00:04\.0 \(mpi3mr\), on which its disk is\.$/,
    hint: /install\.md$/,
  },
  {
    id: 'standby-again',
    b: { nic: { ...beta.nic!, standbyDrives: false } },
    says: /^The standby of the package has no driver for the network card of beta: once the OS/,
    hint: /^nothing to do; then start beta from its medium again$/,
  },
  {
    id: 'disks-held',
    os: { heldDisks: [{ device: '/dev/dm-3', programs: ['qemu-system-x86 (pid 812)'] }] },
    says: /^Programs on alpha have disks open that stay there: \/dev\/dm-3 \(qemu-system-x86 \(pid 812\)\)\.$/,
    hint: /^end these programs first/,
  },
  {
    id: 'disk-volume',
    os: { rootTrouble: { kind: 'spread', volume: '/dev/mapper/yado-root', reason: 'sdb1' } },
    says: /cannot move: its btrfs also lies on sdb1, beside \/dev\/mapper\/yado-root\.$/,
    hint: /^btrfs device remove/,
  },
  {
    id: 'other-disks',
    os: { mounts: [{ device: '/dev/sdb1', path: '/home' }] },
    says: /stay at alpha .*: \/home on \/dev\/sdb1\. By hand must be mounted anew \/home on \/dev\/sdb1, when/,
    hint: /^umount \/home$/,
  },
  {
    id: 'other-disks', // one within the other
    os: {
      mounts: [
        { device: '/dev/sdb1', path: '/srv' },
        { device: '/dev/sdb2', path: '/srv/data' },
      ],
    },
    says: /\/srv on \/dev\/sdb1, \/srv\/data on/,
    hint: /^umount \/srv\/data \/srv$/,
  },
  {
    id: 'other-disks',
    os: {
      mounts: [{ device: '/dev/sdb1', path: '/home', place: { pciAddress: '0000:00:04.0', partition: 1 } }],
    },
    says: /: \/home on \/dev\/sdb1\. They are mounted anew when the OS is back\.$/,
  },
  {
    id: 'boot-disks',
    os: { mounts: [{ device: '/dev/md1', path: '/boot' }] },
    says: /^\/boot on \/dev\/md1: this stays at alpha, and nothing would find it again there\./,
    hint: /^umount \/boot; at home again: mount \/boot$/,
  },
  {
    id: 'boot-disks',
    os: {
      mounts: [
        { device: '/dev/sda1', path: '/boot/efi', place: { pciAddress: '0000:00:04.0', partition: 1 } },
      ],
    },
    says: /^\/boot\/efi on \/dev\/sda1: this stays at alpha, is unmounted before the move and mounted again/,
    hint: /^nothing to do$/,
  },
  {
    id: 'swap',
    os: {
      swaps: [
        { path: '/dev/zram0', kind: 'memory', usedBytes: 5 },
        { path: '/swapfile', kind: 'stub', usedBytes: 5 },
        { path: '/dev/vda2', kind: 'disk', usedBytes: 0 },
      ],
    },
    says: /^The OS swaps to \/dev\/vda2, which stays at alpha/,
    hint: /^swapoff \/dev\/vda2;/,
  },
  {
    id: 'swap-off',
    os: {
      swaps: [
        {
          path: '/dev/vda2',
          kind: 'disk',
          usedBytes: 5,
          place: { pciAddress: '0000:00:04.0', partition: 2 },
        },
      ],
    },
    says: /^Swap that stays at alpha is switched off before the move: \/dev\/vda2; it is on again/,
  },
  {
    id: 'device-drivers',
    request: { missingDrivers: [{ address: vgaB.address, modalias: 'pci:x' }] },
    says: /no driver for 1 devices of beta: 0000:00:02\.0/,
  },
  {
    id: 'driver-lasts',
    a: { pci: [hostBridge, { ...vgaA, driver: 'qxl' }, nic, diskA] },
    says: /^On alpha the OS uses the driver qxl \(0000:00:02\.0\), which Linux cannot take away without a panic\.$/,
    hint: /^start the OS with modprobe\.blacklist=qxl;/,
  },
  {
    id: 'devices-held',
    a: { pci: [...alpha.pci, sound] },
    os: { heldCards: [heldSound] },
    says: /^Programs on alpha have devices open that .*: \/dev\/snd\/controlC0 \(0000:00:1b\.0\) by pipewire \(pid 812\)\.$/,
    hint: /: systemctl --user stop pipewire\.socket .* wireplumber$/,
  },
  {
    id: 'devices-held', // both have the card, and the bridge before it differs
    a: { pci: [...alpha.pci, sound, bridge] },
    b: { pci: [...beta.pci, sound] },
    os: { heldCards: [{ ...heldSound, bridges: [bridge.address], device: '/dev/i2c-3' }] },
    says: /: \/dev\/i2c-3 \(0000:00:1b\.0\) by /,
    hint: /^end these programs, and start them again/,
  },
  {
    id: 'driver-left-out',
    request: { lastingDrivers: [{ address: vgaB.address, module: 'qxl' }] },
    says: /^On beta the OS does without the driver qxl \(0000:00:02\.0\), which Linux could not take away again\.$/,
  },
  {
    id: 'devices-lost',
    request: { ways: [way({ device: 'display0', class: 'display', way: 'lost' })] },
    says: /^On beta the OS would have no display0/,
  },
  { id: 'usbip', os: { usbipDevices: 2 }, says: /^alpha uses 2 USB devices/, hint: /usbip detach/ },
  {
    id: 'zfs',
    os: { zfs: ['/tank'] },
    says: /^File systems of ZFS are mounted on alpha \(\/tank\)/,
    hint: /^zpool export/,
  },
  { id: 'wireguard', os: { wireguard: ['wg0'] }, says: /WireGuard on alpha \(wg0\)/ },
  { id: 'tasks', os: { waitingTasks: ['dd (pid 812)'] }, says: /On alpha .*: dd \(pid 812\)/ },
  { id: 'fuse', os: { fuseRequests: 3 }, says: /On alpha 3 requests/ },
];

tryGroup(deviceChecks, cases);

test('a tap in the bridge is no second card', () => {
  const ports = [...plainOs.ports, { name: 'tap0', isCard: false }];
  assert.deepEqual(found({ os: { ports } }), []);
});

test('the way to a disk that both reach needs no driver in the standby, the network does', () => {
  const lacking = (name: OsState['undriven'][number]['class']) =>
    foundIds({
      os: { undriven: [{ class: name, at: diskA.address, driver: 'lpfc' }] },
      request: { disk: diskPlan({ mode: 'shared', isShared: true, look: lookAt({}) }) },
    });
  assert.ok(!lacking('disk').includes('standby-drivers'));
  assert.ok(lacking('network').includes('standby-drivers'));
});
