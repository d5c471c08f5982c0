// Decides, before a move, which way (Fig. 8) every device of the OS takes on the target, and which PCI functions must
// be removed on the source before the image is made. Pure; sees only what the two computers reported.

import type { Capabilities, PciFunction } from './capabilities.ts';
import { classOfPci, type DeviceClass, deviceClasses } from './device-class.ts';
import type { DeviceWay } from './device-status-table.ts';

/** A device of the OS as the tables know it before the move. */
export interface MovingDevice {
  readonly device: string;
  readonly class: DeviceClass;
  readonly osType: string;
  /** The computer that has it now. */
  readonly computer: string;
  /** Its PCI function, when it is on the source and has one. */
  readonly pciAddress?: string;
}

export interface WayDecision {
  readonly device: string;
  readonly class: DeviceClass;
  readonly way: DeviceWay;
  /** The computer that will have it after the move. */
  readonly computer: string;
  /** The target's PCI function that takes over, when one does. */
  readonly targetPciAddress?: string;
  readonly reason: string;
}

/** True when both functions are the same type of card: a driver bound to one may go on with the other. */
export function sameCard(a: PciFunction, b: PciFunction): boolean {
  return (
    a.vendor === b.vendor &&
    a.device === b.device &&
    a.subsystem.vendor === b.subsystem.vendor &&
    a.subsystem.device === b.subsystem.device
  );
}

/** Host bridges (0x0600) and ISA bridges (0x0601) stay: the kernel keeps platform devices below them. */
const keptClasses = [0x0600, 0x0601];

type Cards = Pick<Capabilities, 'pci' | 'nic'>;

/**
 * The functions of the source that the target does not have in the same place, deepest addresses first. They are
 * removed before the image, because a kernel that is restored writes their saved registers to whatever answers there.
 * So are those with disks on either side: an equal one at the other computer has other disks, or none, and its driver
 * believes in those that it knows. And so is the network card when the target uses another one.
 */
export function functionsToRemove(source: Cards, target: Cards): PciFunction[] {
  const there = new Map(target.pci.map(each => [each.address, each]));
  const isCardThere = (address: string): boolean =>
    address !== source.nic?.pciAddress || address === target.nic?.pciAddress;
  return source.pci
    .filter(each => {
      const other = there.get(each.address);
      const isSame =
        other && sameCard(each, other) && !each.disks && !other.disks && isCardThere(each.address);
      return !keptClasses.includes(each.class >>> 8) && !isSame;
    })
    .toSorted((a, b) => (a.address < b.address ? 1 : -1));
}

/**
 * Drivers that cannot be taken from their card, though Linux believes it: qxl never frees its interrupt (there is no free_irq in
 * it, up to Linux 6.12 at least). The next interrupt on that line, by whatever card, runs its handler on memory that is no longer its
 * own, and the kernel panics. So the OS never takes one up at a target, and does not leave with one that would have to go.
 */
export const lastingDrivers: readonly string[] = ['qxl'];

/** Functions of the source that have to go for a move, and whose driver would leave its interrupt behind. */
export const functionsThatCannotGo = (source: Cards, target: Cards): PciFunction[] =>
  functionsToRemove(source, target).filter(({ driver }) => lastingDrivers.includes(driver ?? ''));

/** What a disk may hang on: bridges, disk controllers, SD card readers, USB. Their drivers read no firmware from a file. */
export const comesBeforeDisk = (classCode: number): boolean =>
  [0x06, 0x01].includes(classCode >>> 16) || [0x0805, 0x0c03].includes(classCode >>> 8);
/**
 * Cards of the source that have to go for a move, by themselves or with a bridge before them, and whose driver waits for programs
 * that have them open.
 */
export function heldCardsToRemove<
  Held extends { readonly pciAddress: string; readonly bridges: readonly string[] },
>(held: readonly Held[], source: Cards, target: Cards): Held[] {
  const going = new Set(functionsToRemove(source, target).map(each => each.address));
  return held.filter(each => [each.pciAddress, ...each.bridges].some(address => going.has(address)));
}

/** All bridges stay as they are. */
const bridgeClass = 0x06;

/**
 * The functions of a target that the OS will not know when it wakes up there, and which no driver will have stopped.
 * Where the firmware has put their registers the OS may have put those of another card: they must not answer.
 * A card that brings the OS in, or serves a disk to it, is stopped by its driver.
 */
export function functionsToQuiet(target: readonly PciFunction[], kept: readonly string[]): PciFunction[] {
  return target.filter(
    each =>
      each.class >>> 16 !== bridgeClass &&
      !kept.includes(each.address) &&
      (each.driver === undefined || classOfPci(each.class) === 'display'),
  );
}

/**
 * Network drivers that leave their card at work when the kernel only freezes them. vmxnet3 takes no new rings while the old ones
 * are active, so the OS would hear and say nothing. e1000e goes on receiving (FLAG2_NO_DISABLE_RX): what comes is written to where
 * the rings were, into memory that is the OS's by then, wherever a card does not mind that it was told to leave the bus alone. Such
 * a card is stopped by taking its interface down.
 */
const stoppedWhenDown: readonly string[] = ['vmxnet3', 'e1000e'];

/** The interface of the target that is taken down before it becomes the OS, if its card needs that. */
export function interfaceToTakeDown({ pci, nic }: Cards): string | undefined {
  const driver = pci.find(each => each.address === nic?.pciAddress)?.driver;
  return driver !== undefined && stoppedWhenDown.includes(driver) ? nic?.name : undefined;
}

/** The way of one device when the OS goes from `source` to `target`. */
export function decideWay(device: MovingDevice, source: Capabilities, target: Capabilities): WayDecision {
  const { device: id, class: deviceClass } = device;
  const traits = deviceClasses[deviceClass];
  const base = { device: id, class: deviceClass } as const;
  if (!traits.replaceable) return decideUnique(device, target);

  const mine = source.pci.find(each => each.address === device.pciAddress);
  // Of several network cards the OS gets the one that the target is reached at.
  const candidates = target.pci.filter(
    each =>
      classOfPci(each.class) === deviceClass &&
      (deviceClass !== 'network' || !target.nic?.pciAddress || each.address === target.nic.pciAddress),
  );
  const same = mine && candidates.find(each => each.address === mine.address && sameCard(mine, each));
  if (same) {
    return {
      ...base,
      way: 'direct',
      computer: target.name,
      targetPciAddress: same.address,
      reason: `${target.name} has the same card in the same place`,
    };
  }
  const preferred = candidates[0];
  if (preferred) {
    const alike = mine && sameCard(mine, preferred);
    return {
      ...base,
      way: alike ? 'direct' : 'converted',
      computer: target.name,
      targetPciAddress: preferred.address,
      reason: alike
        ? `${target.name} has the same card in another place`
        : `${target.name} has another ${deviceClass} card`,
    };
  }
  // A class without PCI functions (a PS/2 keyboard, a platform card): believe what the target says it can serve.
  if (target.devices.includes(deviceClass)) {
    const alike = device.pciAddress === undefined;
    return {
      ...base,
      way: alike ? 'direct' : 'converted',
      computer: target.name,
      reason: `${target.name} has a ${deviceClass} of its own`,
    };
  }
  if (traits.remote) return remote(device);
  // Replaceable: one that is put into the target later will do.
  return { ...base, way: 'lost', computer: target.name, reason: `${target.name} has no ${deviceClass}` };
}

function decideUnique(device: MovingDevice, target: Capabilities): WayDecision {
  if (device.computer !== target.name) return remote(device);
  return {
    device: device.device,
    class: device.class,
    way: 'direct',
    computer: target.name,
    reason: `it is at ${target.name}, where the OS goes`,
  };
}

function remote(device: MovingDevice): WayDecision {
  return {
    device: device.device,
    class: device.class,
    way: 'remote',
    computer: device.computer,
    reason: `it stays at ${device.computer} and is used over the network`,
  };
}
