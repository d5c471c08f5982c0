// Looking for PCI devices without giving each its driver at once. A driver reads its firmware from a file when it takes its
// card (amdgpu, Wi-Fi), and who asks for it while the OS's disk does not answer waits for ever, and whoever scans waits with it. So
// a scan binds only what is wanted, and the rest when the disk is there. drivers/pci/pci-driver.c, drivers/base/bus.c.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listPciDevices, PCI_RESCAN_PATH, type PciDevice } from '#linux/pci.ts';
import { REAL_ROOT } from '#linux/sysfs.ts';

/** "0": a device that is found gets no driver by itself. */
export const PCI_AUTOPROBE_PATH = '/sys/bus/pci/drivers_autoprobe';
/** The file to which a function's address is written to give it its driver, if there is one. */
export const PCI_PROBE_PATH = '/sys/bus/pci/drivers_probe';

/** Looks for devices; those without a driver that are `wanted` have it when this returns. @throws Error of the file system */
export async function scanPci(wanted: (device: PciDevice) => boolean, root = REAL_ROOT): Promise<void> {
  await writeFile(join(root, PCI_AUTOPROBE_PATH), '0');
  try {
    await writeFile(join(root, PCI_RESCAN_PATH), '1');
  } finally {
    await writeFile(join(root, PCI_AUTOPROBE_PATH), '1');
  }
  for (const device of listPciDevices(root))
    if (device.driver === undefined && wanted(device))
      await writeFile(join(root, PCI_PROBE_PATH), device.address).catch(() => {}); // nobody wants it, or it went
}
