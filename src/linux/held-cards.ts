// Cards that programs hold: those whose driver, when it is taken away, waits until every file of theirs is closed. Where
// programs stand still, it would wait for ever. Only drivers of which the kernel's sources say so: a display card, a camera
// or a watchdog is given up at once. Reads links of /proc and /sys only; nothing is opened.
import { basename, join } from 'node:path';
import { deviceFile, type OpenFiles, programOf, readOpenFiles } from '#linux/open-files.ts';
import { isPciAddress, pciAddressIn } from '#linux/pci.ts';
import { linkName, listNames, naturalOrder, REAL_ROOT, resolveLink } from '#linux/sysfs.ts';

export interface HeldCard {
  readonly pciAddress: string;
  /** The bridges before it. */
  readonly bridges: readonly string[];
  /** One of its files that is open: "/dev/snd/controlC0". */
  readonly device: string;
  /** "pipewire (pid 812)" */
  readonly programs: readonly string[];
}

interface Kind {
  /** The file below /dev. */
  readonly file: RegExp;
  /** Addresses of the functions behind it; none when nothing waits for it. */
  readonly functions: (root: string, file: string) => readonly string[];
}

/** The function that a device such as "sys/class/sound/controlC0" lies behind, but for one behind `except`. */
function above(root: string, device: string, except?: RegExp): string[] {
  const path = resolveLink(root, device) ?? '';
  return except?.test(path) ? [] : [pciAddressIn(path) ?? []].flat();
}

/** Functions that drivers of this name have. */
const drivenBy = (root: string, name: RegExp, among: readonly string[]): string[] =>
  among.filter(each => name.test(linkName(root, 'sys/bus/pci/devices', each, 'driver') ?? ''));

const kinds: readonly Kind[] = [
  {
    // snd_card_free (sound/core/init.c). Cards on USB do not wait (snd_card_free_when_closed, sound/usb/card.c).
    file: /^(?:snd\/\w+|(?:adsp|amidi|audio|dmmidi|dsp|midi|mixer)\d*)$/,
    functions: (root, file) => above(root, join('sys/class/sound', basename(file)), /\/usb\d+\//),
  },
  {
    // i2c_del_adapter (drivers/i2c/i2c-core-base.c): also the wires to a monitor, which settings of a desktop may have open.
    file: /^i2c-\d+$/,
    functions: (root, file) => above(root, join('sys/class/i2c-dev', file)),
  },
  {
    // dvb_dmxdev_release (drivers/media/dvb-core/dmxdev.c)
    file: /^dvb\/adapter\d+\/(?:demux|dvr)\d+$/,
    functions: (root, file) =>
      above(root, join('sys/class/dvb', file.replace(/^dvb\/adapter(\d+)\//, 'dvb$1.'))),
  },
  {
    // fw_core_remove_card waits for every fw_device (drivers/firewire/core-card.c, core-device.c)
    file: /^fw\d+$/,
    functions: (root, file) => above(root, join('sys/bus/firewire/devices', file)),
  },
  {
    // vfio_unregister_group_dev (drivers/vfio/vfio_main.c)
    file: /^vfio\/(?:noiommu-)?\d+$/,
    functions: (root, file) =>
      drivenBy(
        root,
        /vfio/,
        listNames(root, 'sys/kernel/iommu_groups', file.replace(/\D/g, ''), 'devices').filter(isPciAddress),
      ),
  },
  {
    file: /^vfio\/devices\/vfio\d+$/,
    functions: (root, file) => above(root, join('sys/class/vfio-dev', basename(file))),
  },
  {
    // nv_pci_remove of NVIDIA's own driver (kernel-open/nvidia/nv-pci.c). Which of several cards it is only the driver knows.
    file: /^nvidia\d+$/,
    functions: root => drivenBy(root, /^nvidia$/, listNames(root, 'sys/bus/pci/devices')),
  },
];

/** All cards that programs hold, in order of address. */
export function readHeldCards(root = REAL_ROOT, open: OpenFiles = readOpenFiles(root)): HeldCard[] {
  const found = new Map<string, { readonly devices: Set<string>; readonly programs: Set<string> }>();
  const functionsOf = new Map<string, readonly string[]>();
  for (const [pid, targets] of open) {
    for (const target of targets) {
      const file = deviceFile(target);
      const kind = file === undefined ? undefined : kinds.find(each => each.file.test(file));
      if (file === undefined || !kind) continue;
      const functions = functionsOf.get(file) ?? kind.functions(root, file);
      functionsOf.set(file, functions);
      for (const address of functions) {
        const held = found.get(address) ?? { devices: new Set(), programs: new Set() };
        held.devices.add(`/dev/${file}`);
        held.programs.add(programOf(pid, root));
        found.set(address, held);
      }
    }
  }
  return [...found]
    .toSorted(([a], [b]) => naturalOrder(a, b))
    .map(([pciAddress, { devices, programs }]) => ({
      pciAddress,
      bridges: bridgesBefore(root, pciAddress),
      device: [...devices].toSorted(naturalOrder)[0] ?? '',
      programs: [...programs],
    }));
}

const bridgesBefore = (root: string, address: string): string[] =>
  (resolveLink(root, 'sys/bus/pci/devices', address) ?? '')
    .split('/')
    .filter(each => isPciAddress(each) && each !== address);
