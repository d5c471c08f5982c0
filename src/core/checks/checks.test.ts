// Every check of the list: what it finds, on which computer, and that it says so in a sentence with something to do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { type Capabilities, CapabilitiesSchema, movingAgentImage } from '../capabilities.ts';
import type { WayDecision } from '../device-ways.ts';
import type { DiskLook, DiskPlan, FoundDisk } from '../disk-wish.ts';
import {
  alpha,
  beta,
  diskA,
  hostBridge,
  MiB,
  nic,
  nicB,
  plainOs,
  plainRequest,
  usb,
  vgaA,
  vgaB,
} from '../fixture-computers.ts';
import type { OsState } from '../os-state.ts';
import { preflight } from '../preflight.ts';
import { preflightChecks } from '../preflight-checks.ts';
import type { PreflightRequest } from './check.ts';

interface Case {
  /** The check that must find it, and no other. */
  readonly id: string;
  readonly a?: Partial<Capabilities>;
  readonly os?: Partial<OsState>;
  readonly b?: Partial<Capabilities>;
  readonly request?: Partial<PreflightRequest>;
  readonly says: RegExp;
  readonly hint?: RegExp;
}

const cpu = (change: Partial<Capabilities['cpu']>) => ({ cpu: { ...beta.cpu, ...change } });
const memory = (of: Capabilities, change: Partial<Capabilities['memory']>) => ({
  memory: { ...of.memory, ...change },
});
const clock = (change: Partial<Capabilities['clock']>) => ({ clock: { ...beta.clock, ...change } });
const firmware = (change: Partial<Capabilities['firmware']>) => ({
  firmware: { ...alpha.firmware, ...change },
});
const way = (change: Partial<WayDecision>): WayDecision => ({
  device: 'network0',
  class: 'network',
  way: 'direct',
  computer: 'beta',
  reason: 'beta has no network',
  ...change,
});
const configSpace = { name: 'PCI MMCONFIG 0000 [bus 00-ff]', startPfn: 0xe0000, endPfn: 0xf0000 };
/** Memory of beta reaches to where alpha has its cards. */
const upTo = (endPfn: number) =>
  memory(beta, { ramRanges: [...beta.memory.ramRanges, { startPfn: 0x40000, endPfn }] });

const spare: FoundDisk = {
  place: { pciAddress: '0000:00:07.0', unit: 0 },
  name: 'virtio-spare',
  sizeBytes: 2048 * MiB,
  isReadOnly: false,
  sectorBytes: 512,
  use: null,
  holds: null,
  markOf: null,
  fileSystem: null,
};
const lookAt = (change: Partial<FoundDisk>): DiskLook => ({
  found: { ...spare, ...change },
  matches: 1,
  names: [spare.name],
});
/** A disk that may follow to one of beta. */
const diskPlan = (change: Partial<DiskPlan>): DiskPlan => ({
  ...{
    mode: 'follow',
    isShared: false,
    identity: 'i1 ',
    os: 'crab',
    asked: spare.name,
    sizeBytes: 2048 * MiB,
    at: 'alpha',
    fileSystem: 'f5',
  },
  ...{ lacks: undefined, look: lookAt({}) },
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
  {
    id: 'protocol',
    b: { protocol: 9 },
    says: /^beta speaks protocol 9, alpha speaks 1/,
    hint: /\(yado unpair beta, then yado standby build beta --usb \/dev\/sdX --address \S+\), and start beta from it$/,
  },
  { id: 'agent-image', b: { agentImageHash: 'cd' }, says: /^beta holds another agent image/ },
  { id: 'agent-memory', a: { agentImageHash: movingAgentImage }, says: /^The agent of alpha lies in memory/ },
  { id: 'role', b: { role: 'ghost' }, says: /^beta is a ghost/, hint: /^yado standby beta$/ },
  { id: 'role', a: { role: 'standby' }, says: /^alpha runs no OS/ },
  {
    id: 'encryption',
    b: { cipherRates: {} },
    says: /^The kernel of beta does not encrypt TCP connections\.$/,
  },
  {
    id: 'cipher',
    a: { cipherRates: { aes128gcm: 1 } },
    b: { cipherRates: { chacha20poly1305: 1 } },
    says: /^The kernels of alpha and beta have no cipher in common/,
  },
  {
    id: 'snapshot',
    b: { snapshotRefusal: { cause: 'lockdown', reason: 'the kernel is locked down (integrity)' } },
    says: /^beta offers no \/dev\/snapshot: the kernel is locked down \(integrity\)\.$/,
    hint: /Secure Boot/,
  },
  {
    id: 'snapshot',
    a: { snapshotRefusal: { cause: 'secretMemory', reason: 'programs have secret memory: x (pid 7)' } },
    says: /^alpha offers no .* x \(pid 7\)/,
    hint: /end these programs on alpha/,
  },
  {
    id: 'kernel-image',
    a: { kernelRelease: '5.10.0-30-amd64' },
    says: /^The kernel of alpha \(5\.10\.0-30-amd64\) makes and reads images of an older kind/,
    hint: /start alpha with a kernel 5\.14/,
  },
  {
    id: 'kernel-version',
    a: { kernelRelease: '6.12.95+deb12-amd64' },
    says: /^The kernel of beta \(6\.1\.0-56-amd64\) is another one than that of the OS \(6\.12\.95\+deb12-amd64\)/,
    hint: /: yado unpair beta, then yado standby build beta --usb \/dev\/sdX --address 192\.0\.2\.1\/24$/,
  },
  {
    id: 'nbd',
    os: { lacks: [{ facility: 'nbd', reason: 'no NBD' }] },
    says: /once it has left alpha: no NBD\.$/,
  },
  { id: 'kcore', os: { lacks: [{ facility: 'kcore', reason: 'EPERM' }] }, says: /stands still .*EPERM/ },
  { id: 'kexec', os: { lacks: [{ facility: 'kexec', reason: 'off' }] }, says: /cannot come back to alpha/ },
  {
    id: 'uinput',
    os: { lacks: [{ facility: 'uinput', reason: 'x' }] },
    says: /no keyboard/,
    hint: /modprobe uinput/,
  },
  {
    id: 'cuse',
    os: { lacks: [{ facility: 'cuse', reason: 'x' }] },
    says: /no printer/,
    hint: /modprobe cuse/,
  },
  {
    id: 'panic-on-warn',
    b: { panicsOnWarning: true },
    says: /^beta restarts at any warning/,
    hint: /sysctl/,
  },
  { id: 'crash-kernel', os: { crashKernelBytes: 256 * MiB }, says: /256 MiB for a crash kernel/ },
  {
    id: 'ram-map',
    b: memory(beta, { ramRanges: [{ startPfn: 1, endPfn: 0x20000 }] }),
    says: /of the memory of alpha lie where beta has none/,
    hint: /^start the OS with mem=512M$/,
  },
  {
    // the firmware of beta keeps some for itself, in two places near each other and at the end
    id: 'ram-map',
    b: memory(beta, {
      ramRanges: [
        { startPfn: 1, endPfn: 0x800 },
        { startPfn: 0x808, endPfn: 0x80b },
        { startPfn: 0x810, endPfn: 0x3fe40 },
      ],
    }),
    says: /of the memory of alpha lie where beta has none/,
    hint: /^start the OS with mem=1022M memmap=64K\$8192K \(within the quotes of \/etc\/default\/grub write \\\\\\\$ for \$\)$/,
  },
  {
    id: 'ram-map',
    b: memory(beta, {
      ramRanges: Array.from({ length: 64 }, (_, at) => ({
        startPfn: at * 0x1000 + 1,
        endPfn: at * 0x1000 + 0x800,
      })),
    }),
    says: /of the memory of alpha lie where beta has none/,
    hint: /^choose another computer/,
  },
  {
    id: 'ram-map',
    b: memory(beta, {
      ramRanges: [
        { startPfn: 1, endPfn: 0x9d },
        { startPfn: 0x100, endPfn: 0x40000 },
      ],
    }),
    says: /^\d+ page frames of the first MiB of alpha, .* are missing on beta\.$/,
    hint: /^start the OS with memmap=\d+K\$628K/,
  },
  {
    id: 'ram-edge',
    b: memory(beta, { ramRanges: [{ startPfn: 1, endPfn: 0x3ffda }] }),
    says: /^3 page frames of alpha are missing on beta: the OS gives them up until it is started anew\.$/,
  },
  {
    id: 'pci-windows',
    b: upTo(0x80000),
    says: /^beta has memory .*\(PCI Bus 0000:00\)/,
    hint: /memmap=1024M\$1024M/,
  },
  {
    id: 'registers',
    a: memory(alpha, { deviceRanges: [{ name: nic.address, startPfn: 0x41000, endPfn: 0x41001 }] }),
    b: upTo(0x80000),
    says: /^Where beta has memory the OS has devices: 0000:00:03\.0\.$/,
    hint: /^choose another computer$/,
  },
  {
    id: 'registers',
    a: memory(alpha, { deviceRanges: [{ name: 'HPET 0', startPfn: 0x41000, endPfn: 0x41001 }] }),
    b: upTo(0x80000),
    says: /HPET 0/,
  },
  {
    id: 'registers', // of a kind that a parameter switches off
    a: memory(alpha, { deviceRanges: [{ ...configSpace, startPfn: 0x41000, endPfn: 0x51000 }] }),
    b: upTo(0x80000),
    says: /PCI MMCONFIG/,
    hint: /^start the OS with pci=nommconf/,
  },
  {
    id: 'registers-cards',
    a: memory(alpha, { deviceRanges: [configSpace] }),
    b: memory(beta, { deviceRanges: [{ name: vgaB.address, startPfn: 0xe1000, endPfn: 0xe2000 }] }),
    says: /^Where beta has a card \(0000:00:02\.0\) the OS has registers of the chipset of alpha: PCI MMCONFIG/,
    hint: /^start the OS with pci=nommconf/,
  },
  {
    id: 'memory-encryption',
    b: memory(beta, { encrypted: true }),
    says: /^beta encrypts its memory, alpha does not/,
  },
  {
    id: 'memory-source',
    a: memory(alpha, { usedBytes: 600 * MiB }),
    os: { swapping: { ...plainOs.swapping, swappableBytes: 700 * MiB, fileBytes: 100 * MiB } },
    says: /^alpha uses 600 MiB of 1000 MiB; .* at most 480 MiB, .*: a swap file of \d+ MiB has no room on the disk/,
    hint: /^make room on the disk of the OS, or: swapon /,
  },
  {
    id: 'memory-swap',
    a: memory(alpha, { usedBytes: 800 * MiB }),
    os: { swapping: { ...plainOs.swapping, swappableBytes: 700 * MiB } },
    says: /^alpha uses 800 MiB of 1000 MiB: the move will use about 476 MiB of swap, a swap file of 548 MiB that is made in /,
    hint: /^nothing to do$/,
  },
  { id: 'memory-target', b: memory(beta, { freeBytes: 100 * MiB }), says: /^beta has 100 MiB free/ },
  { id: 'cpu-vendor', b: cpu({ vendor: 'AuthenticAMD' }), says: /^beta has a CPU of AuthenticAMD/ },
  { id: 'cpu-paging', b: cpu({ la57: true }), says: /differ in five-level paging/ },
  {
    id: 'cpu-x2apic',
    b: cpu({ x2apic: true }),
    says: /^The interrupt controllers of beta are in the mode x2APIC/,
  },
  {
    id: 'cpu-flags',
    b: cpu({ flags: ['fpu'] }),
    says: /^The CPU of beta lacks: sse2/,
    hint: /clearcpuid=sse2/,
  },
  {
    id: 'cpu-flags',
    a: { cpu: { ...alpha.cpu, flags: [...alpha.cpu.flags, 'ibt', 'invpcid_single'] } },
    b: cpu({ model: 'y' }),
    says: /^The CPU of beta lacks: ibt\.$/,
    hint: /clearcpuid=ibt/,
  },
  {
    id: 'cpu-flags', // avx2 is hidden from programs only with all that needs its registers
    a: { cpu: { ...alpha.cpu, flags: [...alpha.cpu.flags, 'avx', 'avx2'] } },
    b: cpu({ flags: [...beta.cpu.flags, 'avx'] }),
    says: /^The CPU of beta lacks: avx2\.$/,
    hint: /^start the OS with clearcpuid=avx,avx2, or choose/,
  },
  {
    id: 'cpu-flags', // no parameter keeps programs from using it
    a: { cpu: { ...alpha.cpu, flags: [...alpha.cpu.flags, 'bmi2'] } },
    says: /^The CPU of beta lacks: bmi2\.$/,
    hint: /^choose another computer: programs find/,
  },
  {
    id: 'cpu-programs', // started with clearcpuid=bmi2
    a: { cpu: { ...alpha.cpu, instructions: ['bmi2', 'movbe'] } },
    says: /^The CPU of beta lacks what programs of the OS may have found on alpha: bmi2; one that uses it ends on beta\.$/,
    hint: /^end the programs that were started on alpha first$/,
  },
  {
    id: 'cpu-programs', // it had only the AVX of an older CPU at its start
    a: {
      cpu: { ...alpha.cpu, flags: [...alpha.cpu.flags, 'avx'], instructions: ['avx2', 'movbe'] },
    },
    b: cpu({ flags: [...beta.cpu.flags, 'avx'] }),
    says: /: avx2; /,
    hint: /^start the OS with clearcpuid=avx,avx2, or end the programs/,
  },
  {
    id: 'cpu-home',
    b: cpu({ instructions: ['avx2', 'bmi2', 'movbe'] }), // alpha's kernel has not switched on what avx2 needs
    says: /^Programs that are started on beta may use what the CPU of alpha lacks: bmi2; /,
  },
  {
    id: 'cpu-count',
    a: { cpu: { ...alpha.cpu, online: 2, onlineApicIds: [0, 1] } },
    says: /^beta lacks 1 of the 2 CPUs of alpha: the OS goes on with 1 there/,
  },
  {
    id: 'clock-rate',
    b: clock({ tscKhz: 3_600_000 }),
    says: /beta counts time at 3600 MHz.* too fast/,
    hint: /^on alpha: echo hpet > /,
  },
  {
    id: 'clock-rate',
    a: clock({ sources: ['tsc', 'acpi_pm'] }),
    b: clock({ tscKhz: 3_600_000 }),
    says: /too fast/,
    hint: /^on alpha: echo acpi_pm > /,
  },
  {
    id: 'clock-rate',
    a: clock({ sources: ['tsc', 'hpet'] }),
    b: clock({ tscKhz: 3_600_000, sources: ['tsc', 'acpi_pm'] }),
    says: /too fast/,
    hint: /^choose another computer/,
  },
  {
    id: 'clock-drift',
    b: clock({ tscKhz: 2_590_000 }),
    says: /0\.24 % too slow/,
    hint: /^nothing to do, or on alpha: echo hpet > /,
  },
  {
    id: 'clock-drift',
    a: clock({ sources: ['tsc'] }),
    b: clock({ tscKhz: 2_590_000 }),
    says: /too slow/,
    hint: /^nothing to do$/,
  },
  {
    id: 'clock-source',
    b: clock({ sources: ['acpi_pm'] }),
    says: /goes by the clock tsc; beta offers acpi_pm/,
  },
  {
    id: 'rtc',
    b: clock({ rtcSeconds: beta.clock.systemSeconds + 3600 }),
    says: /of beta is 1 h 0 min ahead of that of alpha\.$/,
    hint: /^set it to UTC in the setup of beta$/,
  },
  {
    id: 'rtc', // alpha's shows local time
    a: clock({ rtcSeconds: alpha.clock.systemSeconds + 3600 }),
    says: /of beta is 1 h 0 min behind that of alpha\.$/,
    hint: /^on alpha: hwclock --systohc --utc /,
  },
  {
    id: 'model',
    b: firmware({ version: '1.17' }),
    says: /started on Maker Model 1 \(BIOS 1\.16\), beta is .*1\.17/,
  },
  { id: 'mtrr', b: firmware({ mtrrs: ['reg00: other'] }), says: /^alpha and beta differ in which memory/ },
  {
    id: 'watchdog',
    os: { watchdogs: ['iTCO_wdt, 60 s'] },
    says: /watchdog of alpha is armed \(iTCO_wdt, 60 s\)/,
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
    id: 'cpu-guests',
    os: { virtualMachines: ['qemu-system-x86 (pid 812)'] },
    b: cpu({ model: 'y' }),
    says: /^Virtual machines run on alpha \(qemu-system-x86 \(pid 812\)\), and the CPU of beta is another model/,
    hint: /virsh managedsave/,
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
  {
    id: 'disk-named',
    request: { disk: diskPlan({ asked: undefined, look: { found: null, matches: 0, names: ['virtio-x'] } }) },
    says: /^No disk of beta was named for the OS, and none there is its own\.$/,
    hint: /^beta has: virtio-x; yado migrate beta --disk=follow --to-disk=/,
  },
  {
    id: 'disk-named',
    request: { disk: diskPlan({ look: { found: null, matches: 0, names: [] } }) },
    says: /^beta has no disk virtio-spare\.$/,
    hint: /^beta has no disk that it has a driver for/,
  },
  {
    id: 'disk-named',
    request: { disk: diskPlan({ look: { found: null, matches: 2, names: [] } }) },
    says: /^2 disks of beta answer to virtio-spare\.$/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ look: lookAt({ use: 'it is a part of dm-3' }) }) },
    says: /^The disk virtio-spare of beta is in use: it is a part of dm-3\.$/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ look: lookAt({ isReadOnly: true }) }) },
    says: /cannot be written to/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ look: lookAt({ sizeBytes: 1024 * MiB }) }) },
    says: /^The disk virtio-spare of beta has 1\.0 GiB, the disk of the OS 2\.0 GiB\.$/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ sizeBytes: 2048 * MiB - 512 }) },
    says: /no multiple of 4096/,
    hint: /--disk=remote/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ look: lookAt({ sectorBytes: 4096 }) }) },
    says: /has sectors of 4096 bytes: it cannot be marked\.$/,
  },
  {
    id: 'disk-named',
    request: { disk: diskPlan({ mode: 'shared', look: { found: null, matches: 0, names: ['virtio-x'] } }) },
    says: /^beta does not reach the disk of the OS \(virtio-spare\)\.$/,
    hint: /^beta has: virtio-x; yado migrate beta --disk=shared --to-disk=<one of these>, or let it stay: /,
  },
  {
    id: 'disk-mirror',
    request: { disk: diskPlan({ lacks: 'there is no module dm-mirror' }) },
    says: /^The kernel of the OS on alpha cannot mirror disks: there is no module dm-mirror\.$/,
  },
  {
    id: 'disk-not-empty',
    request: { disk: diskPlan({ look: lookAt({ holds: 'a file system (XFS)' }) }) },
    says: /^The disk virtio-spare of beta is not empty: a file system \(XFS\)\. It would be overwritten\.$/,
    hint: /--accept-risk=disk-not-empty$/,
  },
  {
    id: 'disk-not-empty',
    request: { disk: diskPlan({ look: lookAt({ holds: 'data', markOf: 'lobster', fileSystem: 'f5' }) }) },
    says: /is not empty: data/,
  },
  {
    id: 'disk-not-empty',
    request: { disk: diskPlan({ look: lookAt({ holds: 'data', fileSystem: 'f6', markOf: 'crab' }) }) },
    says: /is not empty: data/,
  },
];

/** Found together with `pci-windows`: it matters only for a card that must be found. */
const withOtherCard: Case = {
  id: 'network-place',
  b: { ...upTo(0x80000), pci: beta.pci.map(each => (each === nic ? nicB : each)) },
  says: /^beta has another network card than alpha, and memory where/,
  hint: /^start the OS with: memmap=1024M\$1024M/,
};

/** Found together with `cpu-count`. */
const withoutFirst: Case = {
  id: 'cpu-first',
  b: cpu({ apicIds: [2] }),
  says: /^beta has no CPU with the number \(APIC id\) 0/,
};

/** These are found together with `model`: they matter only on another one. */
const onAnotherModel: readonly Case[] = [
  {
    id: 'interrupts',
    b: {
      pci: beta.pci.map(each => (each === nic ? { ...each, sendsMessages: false, driver: 'e1000' } : each)),
    },
    says: /^The network card of beta \(e1000\) raises interrupts over wires .* Maker Model 1 only/,
    hint: /MSI/,
  },
  { id: 'acpi-tables', os: { hasCopiedDsdt: false }, says: /in the memory of alpha, where beta/ },
  { id: 'firmware-calls', a: firmware({ isCalled: true }), says: /UEFI firmware of Maker Model 1; on beta/ },
  { id: 'iommu', a: firmware({ hasIommu: true }), says: /the IOMMU of Maker Model 1, which beta/ },
];

function found({ a, os, b, request }: Case) {
  const source = { ...alpha, os: { ...plainOs, ...os }, ...a };
  const target = { ...beta, ...b };
  v.parse(CapabilitiesSchema, source);
  v.parse(CapabilitiesSchema, target);
  return preflight(source, target, { ...plainRequest, ...request }).checks.filter(check => !check.ok);
}

for (const each of cases) {
  test(`${each.id}: ${each.says.source}`, () => {
    const results = found(each);
    assert.deepEqual(
      results.map(check => check.id),
      [each.id],
    );
    assert.match(results[0]?.text ?? '', each.says);
    assert.match(results[0]?.hint ?? '', each.hint ?? /\w/);
  });
}

for (const each of onAnotherModel) {
  test(`${each.id}: only where the firmware is another one`, () => {
    assert.deepEqual(found(each), []);
    const results = found({
      ...each,
      b: { ...each.b, firmware: { ...beta.firmware, model: 'Maker Model 2' } },
    });
    assert.deepEqual(results.map(check => check.id).toSorted(), [each.id, 'model'].toSorted());
    assert.match(results.find(check => check.id === each.id)?.text ?? '', each.says);
  });
}

test('another network card needs a place where the target has no memory', () => {
  const results = found(withOtherCard);
  assert.deepEqual(results.map(check => check.id).toSorted(), ['network-place', 'pci-windows']);
  const [result] = results.filter(check => check.id === 'network-place');
  assert.match(result?.text ?? '', withOtherCard.says);
  assert.match(result?.hint ?? '', withOtherCard.hint!);
  const { pci } = withOtherCard.b!;
  assert.deepEqual(found({ id: '', b: { pci: pci! }, says: /./ }), []);
});

test('a card in a window where the target has memory would be elsewhere in an OS that keeps that place free', () => {
  const [window] = alpha.memory.deviceRanges;
  const card = { name: nic.address, startPfn: 0x41000, endPfn: 0x41001 };
  const results = found({
    id: '',
    says: /./,
    a: memory(alpha, { deviceRanges: [window!, card] }),
    b: upTo(0x80000),
  });
  assert.deepEqual(results.map(each => each.id).toSorted(), ['pci-windows', 'registers']);
  const hint = results.find(each => each.id === 'registers')?.hint ?? '';
  assert.match(hint, /^start the OS anew, with: memmap=1024M\$1024M /);
});

test('the first CPU cannot be switched off', () => {
  const results = found(withoutFirst);
  assert.deepEqual(
    results.map(check => check.id),
    ['cpu-count', 'cpu-first'],
  );
  assert.match(results[1]?.text ?? '', withoutFirst.says);
});

test('of a disk that both reach it must be the same one, and a person answers for it', () => {
  const place = { pciAddress: '0000:00:07.0', identity: 'i1' };
  const shared = (change: Partial<DiskPlan>): string[] =>
    found({
      id: '',
      says: /./,
      request: {
        disk: diskPlan({
          mode: 'shared',
          identity: 'i1 ',
          look: lookAt({ place, holds: 'data' }),
          ...change,
        }),
      },
    }).map(each => each.id);
  assert.deepEqual(shared({}), ['disk-unfenced']);
  assert.deepEqual(shared({ identity: 'i2 ' }), ['disk-same', 'disk-unfenced']);
  assert.deepEqual(shared({ identity: undefined }), ['disk-same', 'disk-unfenced']);
  assert.deepEqual(shared({ identity: 'i1 2' }), ['disk-same', 'disk-unfenced'], 'a partition of it');
  assert.deepEqual(shared({ isShared: true }), [], 'a person has answered for it already');
  assert.deepEqual(
    shared({ mode: 'follow', fileSystem: undefined }),
    ['disk-fits', 'disk-not-empty'],
    'onto itself',
  );
  assert.deepEqual(shared({ sizeBytes: 2048 * MiB - 512 }), ['disk-unfenced'], 'nothing is mirrored');
});

test('the way to a disk that both reach needs no driver in the standby, the network does', () => {
  const lacking = (name: OsState['undriven'][number]['class']) =>
    found({
      id: '',
      says: /./,
      os: { undriven: [{ class: name, at: diskA.address, driver: 'lpfc' }] },
      request: { disk: diskPlan({ mode: 'shared', isShared: true, look: lookAt({}) }) },
    }).map(each => each.id);
  assert.ok(!lacking('disk').includes('standby-drivers'));
  assert.ok(lacking('network').includes('standby-drivers'));
});

test('every check is tried here, has a name of its own, and speaks in whole sentences', () => {
  const together = ['disk-same', 'disk-unfenced'];
  const tried = new Set([
    ...[...cases, ...onAnotherModel, withOtherCard, withoutFirst].map(each => each.id),
    ...together,
  ]);
  const ids = preflightChecks.map(each => each.id);
  assert.deepEqual(
    ids.filter(id => !tried.has(id)),
    [],
  );
  assert.equal(new Set(ids).size, ids.length);
  for (const each of preflightChecks) assert.match(each.why, /^[A-Z].*\.$/, each.id);
  for (const result of [...cases, ...onAnotherModel].flatMap(found))
    assert.match(result.text, /^(?=.*(alpha|beta|OS))\S.*\.$/, result.id);
});

test('registers of a card that is taken away before the move are no obstacle', () => {
  const deviceRanges = [{ name: diskA.address, startPfn: 0x41000, endPfn: 0x41001 }];
  assert.deepEqual(found({ id: '', a: memory(alpha, { deviceRanges }), b: upTo(0x80000), says: /./ }), []);
});

test('what nobody knows is no finding: a log that has lost the clock rate, a firmware that names no CPUs', () => {
  const unknown = {
    ...clock({ tscKhz: null, rtcSeconds: null, sources: [] }),
    ...cpu({ apicIds: [] }),
  };
  assert.deepEqual(found({ id: '', b: unknown, says: /./ }), []);
  assert.deepEqual(found({ id: '', a: clock({ source: 'hpet' }), b: clock({ tscKhz: 1 }), says: /./ }), []);
});

test('two clocks in local time agree, and so does one of them that nobody can read', () => {
  const local = clock({ rtcSeconds: alpha.clock.systemSeconds + 3600 });
  assert.deepEqual(found({ id: '', a: local, b: local, says: /./ }), []);
  assert.deepEqual(found({ id: '', a: clock({ rtcSeconds: null }), b: local, says: /./ }), []);
});

test('virtual machines may go on at a CPU of the same model; interrupt controllers may be older there, or unknown', () => {
  const virtualMachines = ['qemu-system-x86 (pid 812)'];
  assert.deepEqual(
    found({ id: '', os: { virtualMachines }, b: cpu({ model: alpha.cpu.model }), says: /./ }),
    [],
  );
  const newer = { cpu: { ...alpha.cpu, x2apic: true } };
  assert.deepEqual(found({ id: '', a: newer, says: /./ }), []);
  assert.deepEqual(found({ id: '', a: newer, b: cpu({ x2apic: null }), says: /./ }), []);
  assert.deepEqual(
    found({ id: '', a: { cpu: { ...alpha.cpu, x2apic: null } }, b: cpu({ x2apic: true }), says: /./ }),
    [],
  );
});

test('a tap in the bridge is no second card', () => {
  const ports = [...plainOs.ports, { name: 'tap0', isCard: false }];
  assert.deepEqual(found({ id: '', os: { ports }, says: /./ }), []);
});

test('an address that is none gets into no command', () => {
  const nicThere = { ...beta.nic!, address: '$(reboot)' };
  const [result] = found({ id: '', b: { protocol: 9, nic: nicThere }, says: /./ });
  assert.match(result?.hint ?? '', /--usb \/dev\/sdX\),/);
});

test('a disk of the target that fits is fine, and so is one that the OS has left there', () => {
  const failing = (disk: DiskPlan): string[] =>
    preflight(alpha, beta, { ...plainRequest, disk })
      .checks.filter(each => !each.ok)
      .map(each => each.id);
  assert.deepEqual(failing(diskPlan({})), []);
  assert.deepEqual(
    failing(
      diskPlan({ asked: undefined, look: lookAt({ holds: 'data', markOf: 'crab', fileSystem: 'f5' }) }),
    ),
    [],
  );
});
