// PCI devices as /sys/bus/pci/devices shows them, with the network interfaces, disks and display cards behind each.
// Reads only; the paths for removing and rescanning are for plans, which the frozen helper writes.
import { join } from 'node:path';
import { linkName, listNames, REAL_ROOT, readNumber, readText, resolveLink } from '#linux/sysfs.ts';

/** Ids are numbers; `class` is the 24-bit class code (0x030000 VGA, 0x020000 Ethernet, 0x0604xx bridge). */
export interface PciDevice {
  /** "0000:00:05.0" */
  readonly address: string;
  readonly vendor: number;
  readonly device: number;
  readonly subsystemVendor: number;
  readonly subsystemDevice: number;
  readonly revision: number;
  readonly class: number;
  readonly modalias: string;
  readonly driver?: string;
  readonly netNames: readonly string[];
  /** Its driver gets its interrupts as messages (MSI, MSI-X). */
  readonly sendsMessages: boolean;
  /** Whole disks, no partitions. */
  readonly blockNames: readonly string[];
  /** "card0" */
  readonly drmCards: readonly string[];
  /** "fb0" */
  readonly framebuffers: readonly string[];
}

const ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

/** Written over the first bytes of a function's configuration: its ids cannot be written, its command register ends at 0. */
export const PCI_QUIET_BYTES = '\0'.repeat(6);

/** The configuration of a function, byte for byte. */
export const pciConfigPath = (address: string): string => `/sys/bus/pci/devices/${address}/config`;

/** The file to which a function's address is written to take its driver from it. */
export const pciUnbindPath = (address: string): string => `/sys/bus/pci/devices/${address}/driver/unbind`;

export function isPciAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** All PCI devices in order of address. */
export function listPciDevices(root = REAL_ROOT): PciDevice[] {
  const net = namesByPciAddress(root, 'net');
  const block = namesByPciAddress(root, 'block');
  const drm = namesByPciAddress(root, 'drm');
  const graphics = namesByPciAddress(root, 'graphics');
  const directory = join(root, 'sys/bus/pci/devices');
  const devices: PciDevice[] = [];
  for (const address of listNames(directory).filter(isPciAddress).sort()) {
    const id = (file: string) => readNumber(directory, address, file) ?? 0;
    const driver = linkName(root, 'sys/bus/pci/devices', address, 'driver');
    devices.push({
      address,
      vendor: id('vendor'),
      device: id('device'),
      subsystemVendor: id('subsystem_vendor'),
      subsystemDevice: id('subsystem_device'),
      revision: id('revision'),
      class: id('class'),
      modalias: readText(directory, address, 'modalias') ?? '',
      ...(driver !== undefined && { driver }),
      sendsMessages: listNames(directory, address, 'msi_irqs').length > 0,
      netNames: net.get(address) ?? [],
      blockNames: (block.get(address) ?? []).filter(name => !isPartition(root, name)),
      drmCards: (drm.get(address) ?? []).filter(name => /^card\d+$/.test(name)),
      framebuffers: (graphics.get(address) ?? []).filter(name => /^fb\d+$/.test(name)),
    });
  }
  return devices;
}

/** The PCI device nearest above the device that a path such as "sys/devices/pci0000:00/0000:00:05.0/…" names. */
export function pciAddressIn(devicePath: string): string | undefined {
  return devicePath.split('/').findLast(isPciAddress);
}

/** The file a "1" written to which removes the device. */
export function pciRemovePath(address: string): string {
  return `/sys/bus/pci/devices/${address}/remove`;
}

/** The file a "1" written to which looks for devices again. */
export const PCI_RESCAN_PATH = '/sys/bus/pci/rescan';

function namesByPciAddress(root: string, deviceClass: string): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const name of listNames(root, 'sys/class', deviceClass)) {
    const path = resolveLink(root, 'sys/class', deviceClass, name);
    const address = path === undefined ? undefined : pciAddressIn(path);
    if (address !== undefined) names.set(address, [...(names.get(address) ?? []), name]);
  }
  return names;
}

function isPartition(root: string, name: string): boolean {
  return readText(root, 'sys/class/block', name, 'partition') !== undefined;
}
