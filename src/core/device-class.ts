// The device classes the managers know, by PCI class code, and what a class promises when the OS moves: whether any
// device of the class will do, or only this very one (because something of the user is in it). Pure data.

export interface ClassTraits {
  /** True: any device of the class serves as well. False: only this very device, which therefore stays in use. */
  readonly replaceable: boolean;
  /** True: the location manager can reach it on another computer. */
  readonly remote: boolean;
  /** True: a computer can lend its device to an OS elsewhere (`yado lend`). */
  readonly lendable: boolean;
  /** First bytes of PCI class codes (24 bit) that belong to it. */
  readonly pciClasses: readonly number[];
}

/** One line per class. What else a new class needs: docs/devices.md. */
const classes = {
  display: { replaceable: true, remote: false, lendable: true, pciClasses: [0x03] },
  input: { replaceable: true, remote: false, lendable: true, pciClasses: [0x09] },
  printer: { replaceable: false, remote: true, lendable: true, pciClasses: [] },
  network: { replaceable: true, remote: false, lendable: false, pciClasses: [0x02] },
  disk: { replaceable: false, remote: true, lendable: false, pciClasses: [0x01] },
} as const satisfies Readonly<Record<string, ClassTraits>>;

export type DeviceClass = keyof typeof classes;
export type LendableClass = {
  [C in DeviceClass]: (typeof classes)[C]['lendable'] extends true ? C : never;
}[DeviceClass];

export const deviceClasses: Readonly<Record<DeviceClass, ClassTraits>> = classes;
export const deviceClassNames = Object.keys(deviceClasses) as DeviceClass[];

export const isLendable = (name: DeviceClass): name is LendableClass => deviceClasses[name].lendable;
export const lendableClasses: readonly LendableClass[] = deviceClassNames.filter(isLendable);

/** The class of a PCI device by its 24-bit class code, or undefined when no manager cares for it. */
export function classOfPci(classCode: number): DeviceClass | undefined {
  const base = classCode >>> 16;
  for (const [name, traits] of Object.entries(deviceClasses) as [DeviceClass, ClassTraits][]) {
    if (traits.pciClasses.includes(base)) return name;
  }
  return undefined;
}
