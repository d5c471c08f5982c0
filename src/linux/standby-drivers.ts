// Which devices of this computer the standby in the agent image has no driver for. What it has was read out of its initramfs when
// the image was made (standby/initrd.ts): a table of lines "alias PATTERN MODULE", and "builtin MODULE" for what is in its kernel.
// Reads only; where there is no such table nothing is known, and nothing is found.
import { dirname } from 'node:path';
import { type ModuleAlias, moduleName, modulesFor, parseModulesAlias } from '#linux/modules.ts';
import { linkName, REAL_ROOT, readText, resolveLink } from '#linux/sysfs.ts';

/** In the agent's own root. */
const tablePath = 'standby/drivers';

/** A device without a driver there, with the one that it has here. */
export interface Undriven {
  /** "0000:02:00.0", "1-2:1.0" */
  readonly at: string;
  readonly driver: string;
}

/** All bridges between PCI buses are driven by the kernel itself. */
const isBridge = (modalias: string): boolean => /^pci:.*bc06/.test(modalias);

/**
 * On the way to `device` ("sys/class/net/enp2s0", "sys/class/block/sda1") everything needs a driver: the card, the controller
 * before it (VMD), what virtio, USB or SCSI has behind it. Gives what has none, the card first.
 */
export function undrivenByStandby(device: string, root = REAL_ROOT): Undriven[] {
  const table = readText(root, tablePath);
  const path = resolveLink(root, device);
  if (table === undefined || path === undefined) return [];
  const aliases = parseModulesAlias(table);
  const builtin = new Set([...table.matchAll(/^builtin (\S+)$/gm)].map(([, name = '']) => moduleName(name)));
  return above(path).flatMap(at => {
    const modalias = readText(root, at, 'modalias')?.trim();
    if (!modalias || isBridge(modalias)) return [];
    const driver = linkName(root, at, 'driver') ?? '';
    return isDriven(modalias, driver, aliases, builtin) ? [] : [{ at: at.split('/').at(-1) ?? '', driver }];
  });
}

/** Of what is built in only kernels from 6.18 on say for which devices it is: the driver that the device has here stands for it. */
function isDriven(
  modalias: string,
  driver: string,
  aliases: readonly ModuleAlias[],
  builtin: ReadonlySet<string>,
): boolean {
  return builtin.has(moduleName(driver)) || modulesFor(modalias, aliases).length > 0;
}

/** The folder and all that it lies in, the uppermost first. */
const above = (path: string): string[] => (path === '.' ? [] : [...above(dirname(path)), path]);
