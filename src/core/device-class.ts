// The device classes: the one list a new class is added to, in the order in which their devices leave with the OS; coming
// back is the reverse. The name is that of the folder in src/devices, where all else of the class is. A line says what the
// class promises when the OS moves: whether any device of it will do, or only this very one (because something of the
// user is in it), and what of it can serve an OS elsewhere. Pure data.

export interface ClassTraits {
  /** True: any device of the class serves as well. False: only this very device, which therefore stays in use. */
  readonly replaceable: boolean;
  /** True: left behind on another computer it is used from there; the folder's service.ts gives `left`. */
  readonly remote: boolean;
  /** True: a computer can lend its device to an OS elsewhere (`yado lend`); the folder's service.ts gives `lend`. */
  readonly lendable: boolean;
  /** First bytes of PCI class codes (24 bit) that belong to it. */
  readonly pciClasses: readonly number[];
  /** True: every computer counts as having one, whatever its PCI functions are. */
  readonly everywhere?: boolean;
  /** Kernel modules that a standby loads only when a device of the class is lent, or was left to it. */
  readonly modules?: readonly string[];
}

/** One line per class. What its folder holds: docs/devices.md. */
const classes = {
  disk: {
    replaceable: false,
    remote: true,
    lendable: false,
    pciClasses: [0x01],
    modules: [
      ...[
        'dm_mod',
        'sd_mod',
        'ahci',
        'ata_piix',
        'ata_generic',
        'nvme',
        'virtio_blk',
        'virtio_scsi',
        'megaraid_sas',
        'mpt3sas',
      ],
      // Not in any emulator the project has, but for pvscsi. vmd is what an NVMe disk may be behind.
      ...['vmd', 'hpsa', 'smartpqi', 'aacraid', 'vmw_pvscsi'],
      ...['sata_mv', 'sata_nv', 'sata_sil', 'sata_sil24', 'sata_via'],
      ...['pata_amd', 'pata_atiixp', 'pata_jmicron', 'pata_via'],
      ...['xhci_pci', 'ehci_pci', 'uhci_hcd', 'usb_storage', 'uas', 'sdhci_pci', 'mmc_block'],
    ],
  },
  printer: {
    replaceable: false,
    remote: true,
    lendable: true,
    pciClasses: [],
    modules: ['xhci_pci', 'ehci_pci', 'uhci_hcd', 'usblp'],
  },
  display: {
    replaceable: true,
    remote: false,
    lendable: true,
    pciClasses: [0x03],
    modules: ['bochs', 'cirrus', 'virtio_gpu', 'vmwgfx', 'ast', 'mgag200', 'i915'],
  },
  input: {
    replaceable: true,
    remote: false,
    lendable: true,
    pciClasses: [0x09],
    everywhere: true,
    modules: ['evdev', 'psmouse', 'xhci_pci', 'ehci_pci', 'uhci_hcd', 'usbhid', 'hid_generic'],
  },
  network: { replaceable: true, remote: false, lendable: false, pciClasses: [0x02] },
} as const satisfies Readonly<Record<string, ClassTraits>>;

export type DeviceClass = keyof typeof classes;
type ClassWith<Trait extends 'lendable' | 'remote'> = {
  [C in DeviceClass]: (typeof classes)[C][Trait] extends true ? C : never;
}[DeviceClass];
export type LendableClass = ClassWith<'lendable'>;
export type RemoteClass = ClassWith<'remote'>;

export const deviceClasses: Readonly<Record<DeviceClass, ClassTraits>> = classes;
export const deviceClassNames = Object.keys(deviceClasses) as DeviceClass[];

export const isLendable = (name: DeviceClass): name is LendableClass => deviceClasses[name].lendable;
export const lendableClasses: readonly LendableClass[] = deviceClassNames.filter(isLendable);

/** Classes of which a computer can serve something to an OS elsewhere. */
export const servingClasses: readonly DeviceClass[] = deviceClassNames.filter(
  name => isLendable(name) || deviceClasses[name].remote,
);

/** The class of a PCI device by its 24-bit class code, or undefined when no manager cares for it. */
export function classOfPci(classCode: number): DeviceClass | undefined {
  const base = classCode >>> 16;
  for (const [name, traits] of Object.entries(deviceClasses) as [DeviceClass, ClassTraits][]) {
    if (traits.pciClasses.includes(base)) return name;
  }
  return undefined;
}
