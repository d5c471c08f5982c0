// What every device class gives the managers: how its device is found, and a ladder of small verbs for it. A new class is
// a folder with such an object and a line in the list: docs/devices.md.
import * as v from 'valibot';
import type { Capabilities } from '#core/capabilities.ts';
import type { Computer } from '#core/computer.ts';
import type { DeviceClass } from '#core/device-class.ts';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import type { WayDecision } from '#core/device-ways.ts';
import type { FollowReport } from '#core/disk-follow.ts';
import type { BlockPlace, Destiny } from '#core/disk-wish.ts';
import type { Peer } from '#managers/control-session.ts';
import type { SourcePlans } from '#wire/job.ts';

/** One move of the OS, as prepared on the source. */
export interface Move {
  readonly osId: string;
  readonly epoch: number;
  readonly source: Capabilities;
  readonly target: Capabilities;
  readonly ways: readonly WayDecision[];
  /** PCI functions that are removed before the image. */
  readonly removed: readonly string[];
}

/** A device of another computer: how that one is reached, and who uses the device in which epoch. */
export interface DeviceThere {
  readonly peer: Required<Peer>;
  readonly osId: string;
  readonly device: string;
  readonly epoch: number;
}

/** The drivers of a class: one for a device of this computer, one for a device of another. */
export interface Drivers<Driver> {
  here(): Driver;
  there(device: DeviceThere): Driver;
}

/** The location manager's choice among the drivers of a class. */
export type Route = <Driver>(drivers: Drivers<Driver>) => Driver;

/** Where the OS is when devices are brought up again, and the way to one of them. */
export interface Arrival {
  readonly here: Computer;
  /** The computer that has this device. */
  readonly at: Computer;
  /** Gives the driver to connect the stub to: a class does not choose for itself. */
  readonly route: Route;
  readonly signal: AbortSignal;
  /** Looks for cards once more: one that should be there was not found. */
  readonly scan: () => Promise<void>;
  /** A device that follows the OS: it is at this computer from now on, for an agent that is started anew too. */
  readonly taken: () => void;
  /** The device as another computer had it. @throws YadoError `unknownComputer` */
  readonly there: (computer: string) => DeviceThere;
  /** `memory` has changed, for an agent that is started anew. @throws Error when it cannot be kept */
  readonly changed: () => void;
  /** A device that another computer lends: called when that computer is gone for good. */
  readonly gone: () => void;
  /** For what a person should find in the journal later. */
  readonly say: (text: string) => void;
}

export type DevicePlans = Partial<SourcePlans>;

/** What a ghost needs to serve a device it was left with. What more is in it only its class knows: see service.ts. */
export interface ServeState {
  readonly kind: DeviceClass;
  readonly device: string;
}

/** The one device an OS has of a class. */
export type DeviceId<Class extends DeviceClass = DeviceClass> = `${Class}0`;

/** What a class is told when it looks for the OS's device. */
export interface Probing<Settings = undefined> {
  /** Address of the computer the OS is on, whenever it is asked for. */
  machineAddress(): string;
  /** What a former agent of this OS left in `Device.memory`. */
  readonly remembered: unknown;
  /** The table of the class in config.toml. */
  readonly settings?: Settings | undefined;
}

/** What the class.ts of a folder exports as `deviceClass`. */
export interface ClassOfDevices<Class extends DeviceClass, Settings = undefined> {
  /** Undefined when the OS has none. */
  probe(probing: Probing<Settings>): (Device & { readonly id: DeviceId<Class> }) | undefined;
  /** True: one may be plugged in while the OS runs; as long as the OS has none it is looked for again and again. */
  readonly mayComeLater?: boolean;
  /** Of the table in config.toml, when the class has settings. */
  readonly settings?: v.GenericSchema<unknown, Settings>;
}

/** Of a device with data in it. */
export interface Storage {
  readonly sizeBytes: number;
  /** UUID of its file system, when that is an ext4. @throws the reason of `signal`: it need not answer */
  fileSystem(signal: AbortSignal): Promise<string | undefined>;
  /** As it is called on any computer; undefined for one that says nothing of itself. */
  readonly name: string | undefined;
  /** The same on every computer that reaches it; undefined where it cannot be told from others. */
  readonly sameness: string | undefined;
  /** The OS has used it from another computer than the one that starts from it. */
  readonly isShared: boolean;
  /** It is a LUKS container, which cannot follow: its mark lies where a copy of it would overwrite it. */
  readonly isContainer: boolean;
  readonly isVolume: boolean;
  /** Where it was at a computer before, and still is in an older state. */
  placeAt(computer: string): BlockPlace | undefined;
}

export interface Device {
  /** Stable name within the OS: that of its class and 0, such as `disk0`. */
  readonly id: string;
  /** True for a device that only an agent makes: programs see it once it was brought up by `restore`. */
  readonly isMadeHere?: boolean;
  /** True when the settings name another one than the agent before this one had: it is where the OS is. */
  readonly isReplaced?: boolean;
  /**
   * Describes what the OS believes it has and what there is; recorded in the device status table. `elsewhere`: name of
   * the other computer that has the device.
   */
  describe(elsewhere: string | undefined): DeviceStatusRow;
  /** PCI function behind it on this computer, when there is one. */
  pciAddress(): string | undefined;
  /** The steps of this device in every plan of a move. */
  plans(move: Move): DevicePlans;
  /**
   * Before a move: returns once the device answers, and will stay where it is. `woken` has just been started anew: a
   * connection to it is made anew.
   * @throws YadoError naming the device and the computer when it does not in time
   */
  ready?(woken: string | undefined, signal: AbortSignal): Promise<void>;
  /** Of a device that may follow the OS: what must be known before a move, see `Storage`. */
  storage?(): Storage;
  /** The OS is at another computer, before `restore`: what is to become of the device there; undefined: it stays. */
  destine?(destiny: Destiny | undefined): void;
  /** A move was given up before the OS was frozen: what `ready` has stopped goes on. */
  goOn?(): void;
  /** How far it has followed, when it does. */
  following?(): FollowReport | undefined;
  /** True: an agent before this one has left something unfinished, and it must be brought up wherever it is. */
  readonly isUnfinished?: boolean;
  /** Before and after a scan that may find a card of its class. */
  scanning?(isOn: boolean): void;
  /** Before the OS is frozen: lets go of what the ghost needs, and of programs that wait for this device. */
  hold?(): Promise<void>;
  /** The agent ends in good order: whatever needs it to run is given back to the OS's own drivers. */
  end?(): Promise<void>;
  /** Brings the device up after the OS was thawed: on the target, or on the source after a roll back. */
  restore(arrival: Arrival): Promise<void>;
  /** What an agent that is started anew on this OS must be told, because probing cannot show it. Plain JSON. */
  memory?(): unknown;
  /**
   * What the ghost is told so that it can serve the device; undefined when it does not stay behind. It is remembered
   * where the device was left, and in which epoch: that is what it is asked for from every later computer.
   */
  leaveBehind(move: Move): ServeState | undefined;
}

/** The name under which an OS knows a device, from the memory of a former agent of it; undefined when there is none. */
export function rememberedType(memory: unknown): string | undefined {
  const known = v.safeParse(v.object({ typeName: v.string() }), memory);
  return known.success ? known.output.typeName : undefined;
}

/** What went wrong, as a part of a sentence. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
}
