// For tests only: the two computers of the paper, same NIC, other VGA card, disk and printer only at A. Never used by the
// product.

import type { Capabilities, PciFunction } from './capabilities.ts';
import type { PreflightRequest } from './checks/check.ts';
import type { OsState } from './os-state.ts';

export const MiB = 1024 * 1024;

const card = (address: string, vendor: number, device: number, classCode: number): PciFunction => ({
  address,
  vendor,
  device,
  class: classCode,
  subsystem: { vendor: 0x1af4, device: 0x1100 },
  modalias: `pci:v${vendor}d${device}`,
});
export const hostBridge = card('0000:00:00.0', 0x8086, 0x1237, 0x060000);
export const nic = { ...card('0000:00:03.0', 0x1af4, 0x1000, 0x020000), sendsMessages: true };
export const nicB = { ...card('0000:00:03.0', 0x8086, 0x10d3, 0x020000), sendsMessages: true };
export const vgaA = card('0000:00:02.0', 0x1234, 0x1111, 0x030000);
export const vgaB = card('0000:00:02.0', 0x1013, 0x00b8, 0x030000);
/** A USB controller. */
export const usb = card('0000:00:08.0', 0x1b36, 0x000d, 0x0c0330);
export const diskA = card('0000:00:04.0', 0x1af4, 0x1001, 0x010000);

export const plainOs: OsState = {
  classes: ['display', 'input', 'printer', 'network', 'disk'],
  ports: [{ name: 'eth0', isCard: true }],
  lacks: [],
  swaps: [],
  swapping: {
    freeBytes: 0,
    fileBytes: 2000 * MiB,
    noFile: null,
    swappableBytes: 200 * MiB,
    obstacle: null,
  },
  mounts: [],
  waitingTasks: [],
  fuseRequests: 0,
  undriven: [],
  home: 'alpha',
  heldCards: [],
  heldDisks: [],
  virtualMachines: [],
  watchdogs: [],
  usbipDevices: 0,
  zfs: [],
  wireguard: [],
  networkRivals: [],
  crashKernelBytes: 0,
  unmarkable: null,
  rootTrouble: null,
  hasCopiedDsdt: true,
};

export const alpha: Capabilities = {
  protocol: 1,
  name: 'alpha',
  role: 'active',
  agentImageHash: 'ab',
  kernelRelease: '6.1.0-56-amd64',
  cpu: {
    vendor: 'GenuineIntel',
    model: 'x',
    flags: ['fpu', 'sse2', 'ht', 'tsc_adjust'],
    instructions: ['movbe'],
    count: 1,
    online: 1,
    onlineApicIds: [0],
    apicIds: [0],
    la57: false,
    x2apic: false,
    machineCheckBanks: 10,
  },
  memory: {
    totalBytes: 1000 * MiB,
    freeBytes: 600 * MiB,
    usedBytes: 300 * MiB,
    ramRanges: [
      { startPfn: 1, endPfn: 0x9f },
      { startPfn: 0x100, endPfn: 0x3ffdd },
    ],
    deviceRanges: [
      { name: 'PCI Bus 0000:00', startPfn: 0x40000, endPfn: 0xfec00 },
      { name: vgaA.address, startPfn: 0xfd000, endPfn: 0xfe000 },
      { name: nic.address, startPfn: 0xfebd0, endPfn: 0xfebd1 },
      { name: 'HPET 0', startPfn: 0xfed00, endPfn: 0xfed01 },
      { name: 'IOAPIC 0', startPfn: 0xfec00, endPfn: 0xfec01 },
    ],
    encrypted: false,
  },
  e820Checksum: 1,
  physicalPageCount: 0x3ff7b,
  rsdp: 0xf5ae0,
  clock: {
    source: 'tsc',
    sources: ['tsc', 'hpet', 'acpi_pm'],
    tscKhz: 2_596_137,
    pmTimerPort: 0x608,
    systemSeconds: 1_795_619_932,
    rtcSeconds: 1_795_619_932,
  },
  firmware: {
    kind: 'BIOS',
    isCalled: false,
    model: 'Maker Model 1',
    version: '1.16',
    hasErrorReports: false,
    mtrrs: ['reg00: base=0x0c0000000 ( 3072MB), size= 1024MB, count=1: uncachable'],
    hasIommu: false,
  },
  panicsOnWarning: false,
  pci: [hostBridge, vgaA, nic, diskA],
  nic: {
    name: 'eth0',
    mac: '52:54:00:00:00:01',
    pciAddress: nic.address,
    address: '192.0.2.1/24',
    standbyDrives: true,
  },
  snapshotRefusal: null,
  cipherRates: { aes128gcm: 2e8, chacha20poly1305: 3e8 },
  devices: ['display', 'network', 'disk', 'printer'],
  os: plainOs,
};

export const beta: Capabilities = {
  ...alpha,
  name: 'beta',
  role: 'standby',
  cpu: { ...alpha.cpu, flags: ['fpu', 'sse2', 'tsc_adjust'] },
  memory: { ...alpha.memory, freeBytes: 800 * MiB, usedBytes: 60 * MiB },
  clock: { ...alpha.clock, tscKhz: 2_596_123 },
  pci: [hostBridge, vgaB, nic],
  devices: ['display', 'network'],
  os: null,
};

export const plainRequest: PreflightRequest = {
  acceptRisks: [],
  missingDrivers: [],
  lastingDrivers: [],
  ways: [],
};
