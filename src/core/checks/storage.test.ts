// Checks of the disk of the OS, and of disks and swap that stay behind: what each finds, on which computer, and that it says so in a sentence with something to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beta, diskA, nic } from '../fixture-computers.ts';
import type { OsState } from '../os-state.ts';
import { type Case, diskPlan, foundIds, lookAt, tryGroup } from './fixture-cases.ts';
import { storageChecks } from './storage.ts';

const cases: readonly Case[] = [
  {
    id: 'disk-mark',
    os: { unmarkable: 'something else lies in the first 1024 bytes of the disk' },
    says: /^The disk of alpha cannot be marked as left: something else lies/,
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
    id: 'zfs',
    os: { zfs: ['/tank'] },
    says: /^File systems of ZFS are mounted on alpha \(\/tank\)/,
    hint: /^zpool export/,
  },
];

tryGroup(storageChecks, cases);

test('the way to a disk that both reach needs no driver in the standby, the network does', () => {
  const lacking = (name: OsState['undriven'][number]['class']) =>
    foundIds({
      os: { undriven: [{ class: name, at: diskA.address, driver: 'lpfc' }] },
      request: { disk: diskPlan({ mode: 'shared', isShared: true, look: lookAt({}) }) },
    });
  assert.ok(!lacking('disk').includes('standby-drivers'));
  assert.ok(lacking('network').includes('standby-drivers'));
});
