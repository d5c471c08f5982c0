// The devices an OS left on this computer, served to it by the ghost and, after kexec, by the standby that follows it.
// Epochs fence: from the moment the OS asks in a newer one, whoever used a device in an older one is cut off.
import * as v from 'valibot';
import type { Cipher } from '#core/ciphers.ts';
import type { Computer } from '#core/computer.ts';
import type { DeviceClass } from '#core/device-class.ts';
import { sameness } from '#core/disk-wish.ts';
import { yadoError } from '#core/errors.ts';
import type { ServeState } from '#devices/device.ts';
import { readMark } from '#devices/disk/left-mark.ts';
import type { DiskLeft } from '#devices/disk/service.ts';
import { findMarkedVolume, findServed } from '#devices/disk/volume.ts';
import {
  answerOf,
  type DeviceAnswer,
  type DeviceMessage,
  type DeviceRequest,
  type LeftService,
  type LeftWorld,
} from '#devices/service.ts';
import { type BlockDevice, type BlockPlace, listBlockDevices, nodePath } from '#linux/block.ts';
import { kernelParameter, readCmdline } from '#linux/cmdline.ts';
import { FormatError } from '#linux/system-error.ts';
import { leftClasses, type ServiceList } from '#managers/service-list.ts';
import type { ControlRequest } from '#wire/control.ts';
import { orAway } from './device-away.ts';
import {
  encodeMarkText,
  type LeftBehind,
  leftBehindSchema,
  type Mark,
  type MarkState,
  markSchema,
} from './ghost-state.ts';
import { log } from './log.ts';

/** The kernel parameter through which a ghost tells the standby after it. */
const parameter = 'yado.left';

export class DevicesLeft {
  readonly #left: LeftBehind;
  /** This computer. */
  readonly #computer: Computer;
  readonly #list: ServiceList;
  readonly #services: ReadonlyMap<string, LeftService>;
  /** Messages that a device that was left may answer. */
  readonly messages: ReadonlySet<DeviceMessage>;
  /** The newest in which the OS has asked for its devices. */
  #epoch: number;
  /** What a mark says besides; undefined where only a mark that is there already knows. */
  #markedWith: Pick<Mark, 'nic' | 'move'> | undefined;
  /** The next one is told how things are here: nothing may change any more. */
  #isHandedOver = false;
  /** The OS is nowhere any more: it will ask for nothing. */
  #hasEnded = false;

  /**
   * @param cipher what the kernel here encrypts connections to the devices with
   * @param fault for tests, see src/agent/faults.ts
   */
  constructor(
    left: LeftBehind,
    computer: Computer,
    cipher: Cipher,
    services: ServiceList,
    fault: LeftWorld['fault'] = async () => {},
  ) {
    this.#left = left;
    this.#computer = computer;
    this.#epoch = left.epoch;
    this.#list = services;
    this.messages = new Set(leftClasses(services).flatMap(each => each.messages));
    const world: LeftWorld = {
      osId: left.osId,
      computer,
      cipher,
      epoch: () => this.#epoch,
      record: before => this.#recordLeft(before),
      say: log,
      fault,
    };
    this.#services = new Map(left.behind.map(each => [each.device, serviceOf(each, world, services)]));
  }

  get names(): string[] {
    return this.#wanted.map(([device]) => device);
  }

  /** What the OS may still ask for. */
  get #wanted(): [string, LeftService][] {
    if (this.#hasEnded) return [];
    return [...this.#services].filter(([, service]) => !service.isOver);
  }

  /** The OS may still ask for a disk: what is on it is the newest there is of it. */
  get hasDisk(): boolean {
    return this.#wanted.some(([, service]) => service.state.kind === 'disk');
  }

  has(device: string): boolean {
    return !this.#hasEnded && this.#services.has(device);
  }

  /** False while something that is to be marked has not been found again. */
  get isHere(): boolean {
    return [...this.#services.values()].every(each => each.isHere !== false);
  }

  /** Classes whose drivers a standby must load before it serves. */
  get driversNeeded(): DeviceClass[] {
    const needed = [...this.#services.values()].filter(each => each.needsDrivers);
    return [...new Set(needed.map(each => each.state.kind))];
  }

  /** What the standby that follows must know. */
  get state(): LeftBehind {
    const behind = this.#wanted.map(([, service]) => service.state);
    return { osId: this.#left.osId, epoch: this.#epoch, behind };
  }

  /** Before the grant: writes on what can bear it that the OS is leaving. @throws Error saying why it cannot */
  async markLeaving(markedWith: Pick<Mark, 'nic' | 'move'>): Promise<void> {
    this.#markedWith = markedWith;
    const text = this.#record('leaving', undefined);
    for (const service of this.#services.values()) await service.mark?.(text);
  }

  /** @throws Error when what was there is not this computer's to say: another disk than was left, or one that others use */
  #recordLeft(before: string | undefined): string {
    const { osId } = this.#left;
    const mark = readMarkText(before, this.#list);
    if (mark?.osId !== osId)
      throw new Error(`the disk that was found here does not bear the mark of ${osId}`);
    if (mark.usedBy !== undefined) throw new Error(`${mark.usedBy} uses it by itself`);
    if (mark.computer.name !== this.#computer.name || mark.epoch > this.#epoch)
      throw new Error(`${osId} has left it at ${mark.computer.name} since`);
    return this.#record('left', before);
  }

  #record(state: MarkState, before: string | undefined): string {
    const known = this.#markedWith ?? readMarkText(before, this.#list) ?? {};
    const { nic, move } = known;
    const starts = this.#left.behind.find(isDisk)?.starts ?? readMarkText(before, this.#list)?.starts;
    const rest = { ...(nic !== undefined && { nic }), ...(starts && { starts }), ...(move && { move }) };
    return encodeMarkText({ ...this.state, state, computer: this.#computer, ...rest });
  }

  /** Serves all of them; what cannot be served is said, and tried again when the OS asks for it. */
  async serve(): Promise<void> {
    if (this.#hasEnded) return;
    this.#isHandedOver = false;
    await Promise.all([...this.#services.values()].map(each => each.serve()));
  }

  /** From here on `state` stays as it is: nothing more is printed, and no newer epoch is heard of. */
  async handOver(): Promise<void> {
    this.#isHandedOver = true;
    for (const service of this.#services.values()) await service.handOver?.();
  }

  /** After `handOver`: there is no next one after all. */
  goOn(): void {
    if (this.#hasEnded) return;
    this.#isHandedOver = false;
    for (const service of this.#services.values()) service.goOn?.();
  }

  /**
   * Everything that was written is on the devices when this returns; the OS waits until they are served again.
   * @throws Error of the first that could not be stopped, when the others are
   */
  async stop(): Promise<void> {
    await this.handOver();
    let trouble: unknown;
    for (const service of this.#services.values())
      await service.stop().catch(error => {
        trouble ??= error;
      });
    if (trouble !== undefined) throw trouble;
  }

  /** This computer starts from the disk that the OS left here. */
  get startsFromHere(): boolean {
    const disk = this.#wanted.map(([, service]) => service.state).find(isDisk);
    return disk !== undefined && (disk.starts ?? this.#computer).name === this.#computer.name;
  }

  /** The OS has ended: nothing is served any more, and nobody waits for anything here. @throws Error as `stop` */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.stop();
  }

  /** After `stop`: a start from here is that of any other computer. @throws Error saying why it is not */
  unmark(): void {
    for (const service of this.#services.values()) service.unmark?.();
  }

  /** Another OS taken in here would end what this one needs. @throws YadoError `servesAnotherOs` */
  refuseAnother(osId: string): void {
    const { osId: served } = this.#left;
    if (this.names.length > 0 && osId !== served)
      throw yadoError('servesAnotherOs', {
        computer: this.#computer.name,
        devices: this.names.join(', '),
        os: served,
      });
  }

  /** @throws YadoError `unknownDevice`, `staleEpoch`, `busy`, or what the device's own service throws */
  answer<T extends DeviceMessage>(type: T, request: ControlRequest<T> & DeviceRequest): DeviceAnswer<T> {
    const service = this.#admit(request);
    if (!service[type]) throw this.#unknown(request.device);
    return orAway(request.device, this.#computer.name, () => answerOf(service, type, request));
  }

  #admit({ osId, device, epoch }: DeviceRequest): LeftService {
    const service = this.#services.get(device);
    if (!service || this.#hasEnded || osId !== this.#left.osId) throw this.#unknown(device);
    if (this.#isHandedOver)
      throw yadoError('busy', { computer: this.#computer.name, activity: 'it starts its standby image' });
    this.refuseOlder(epoch, device);
    this.#epoch = epoch;
    return service;
  }

  /** @throws YadoError `staleEpoch`: an older copy of the OS asks */
  refuseOlder(theirs: number, device = this.#left.osId): void {
    const ours = this.#epoch;
    if (theirs < ours) throw yadoError('staleEpoch', { device, computer: this.#computer.name, theirs, ours });
  }

  #unknown(device: string): Error {
    return yadoError('unknownDevice', { device, computer: this.#computer.name });
  }
}

function serviceOf(left: ServeState, world: LeftWorld, services: ServiceList): LeftService {
  const ofClass = services[left.kind]?.left;
  if (!ofClass) throw yadoError('badRequest', { reason: `nothing of the class ${left.kind} is left behind` });
  return ofClass.serviceOf(left, world);
}

/** For the kernel's command line of the standby that follows. */
export function leftParameter(left: LeftBehind): string {
  return `${parameter}=${Buffer.from(JSON.stringify(left)).toString('base64url')}`;
}

/** What the ghost before this standby has told. @throws FormatError when the parameter is damaged */
export function readLeftBehind(services: ServiceList): LeftBehind | undefined {
  const text = kernelParameter(readCmdline(), parameter);
  return text ? decodeLeftBehind(text, services) : undefined;
}

/** The value of the parameter. @throws FormatError */
export function decodeLeftBehind(text: string, services: ServiceList): LeftBehind {
  const json = parsed(Buffer.from(text, 'base64url').toString());
  const left = v.safeParse(leftBehindSchema(services), json, { abortEarly: true });
  if (!left.success) throw new FormatError(parameter, v.summarize(left.issues).slice(0, 200));
  return left.output;
}

/** Whose mark is looked for. */
interface Wanted {
  /** Of this OS alone: whose ghost was here a moment ago; that of another one, left earlier, is none of its business. */
  readonly osId?: string | undefined;
  /** Left at this computer, or one that it starts from: a disk that several reach may have been left at another one, which serves it. */
  readonly computer?: string | undefined;
}

/** A disk here that an OS has left, or was about to leave when this computer was switched off. */
export function findMarkedDisk(
  services: ServiceList,
  { osId, computer }: Wanted = {},
): MarkedNode | undefined {
  const all: (MarkedThere & FoundMark)[] = [];
  for (const device of listBlockDevices()) {
    const found = findMarkOn(device);
    if (!found) continue;
    const mark = readMarkText(found.text, services);
    if (!mark) log(`${device.name} has a mark that cannot be read`);
    else if (computer !== undefined && ![mark.computer.name, mark.starts?.name].includes(computer))
      log(`${device.name} was left by ${mark.osId} at ${mark.computer.name}, and is not this computer's`);
    else
      all.push({
        ...found,
        mark: foundAt(mark, found.place),
        isThatDisk: isThatDisk(mark, found.place),
      });
  }
  // A volume of LVM is there twice while it is active: as itself, and as what lies on its disk, which alone can be found again.
  const once = all.filter(each => each.place || !all.some(other => other.place && other.text === each.text));
  const newest = newestOf(once, osId);
  if (newest === 'several') {
    log('several disks bear the same mark, and none is the one it was written on: none is used');
    return undefined;
  }
  return newest && { node: newest.node(), mark: newest.mark };
}

export interface MarkedNode {
  readonly node: string;
  readonly mark: Mark;
}

interface MarkedThere {
  readonly mark: Mark;
  /** Not a copy of it on another disk. */
  readonly isThatDisk: boolean;
}

/**
 * Of several disks that an OS has left here the one it left last: it has followed to another one, and the others have an older
 * state of it. Of several OSes, where none is named, the first one that still has something here. Somebody may have copied the
 * disk since, with its mark: the copy has an older state, too. several: which is the copy cannot be told.
 */
export function newestOf<T extends MarkedThere>(all: readonly T[], osId?: string): T | 'several' | undefined {
  const newest = all.filter(
    ({ mark }) =>
      (osId === undefined || mark.osId === osId) &&
      !all.some(each => each.mark.osId === mark.osId && each.mark.epoch > mark.epoch),
  );
  const first = newest.find(each => each.mark.behind.length > 0) ?? newest[0];
  const alike = newest.filter(
    ({ mark }) => mark.osId === first?.mark.osId && mark.behind.length === first.mark.behind.length,
  );
  // Several that are it are one disk, reached on two ways. Of one that is not to be served it does not matter.
  if (alike.length <= 1 || first?.mark.behind.length === 0) return first;
  return alike.find(each => each.isThatDisk) ?? 'several';
}

export const isDisk = (left: ServeState): left is DiskLeft => left.kind === 'disk';

/** What was found there is the disk on which that was written: by what it says of itself, or by its place where it says nothing. */
export function isThatDisk(mark: Mark, place: BlockPlace | undefined): boolean {
  if (!place) return false;
  return mark.behind.some(
    each =>
      isDisk(each) &&
      (sameness(each.place) === undefined
        ? each.place.pciAddress === place.pciAddress && each.place.partition === place.partition
        : sameness(each.place) === sameness(place)),
  );
}

/** The disk is where its mark was found: since it was left it may have been plugged in elsewhere, or another card before it. */
export function foundAt(mark: Mark, place: BlockPlace | undefined): Mark {
  if (!place) return mark;
  return { ...mark, behind: mark.behind.map(each => (each.kind === 'disk' ? { ...each, place } : each)) };
}

/** What the mark of that disk says by now: others may have written it. */
export const markOn = (node: string, services: ServiceList): Mark | undefined =>
  readMarkText(readMark(node), services);

/** For a standby that has just been started: whether its disks need their drivers any longer. */
export const isAnyDiskMarked = (): boolean => listBlockDevices().some(each => findMarkOn(each) !== undefined);

interface FoundMark {
  readonly text: string;
  readonly place: BlockPlace | undefined;
  /** Of what is marked; makes one where there is none. */
  readonly node: () => string;
}

/** At its beginning, or at that of a volume of LVM on it. */
function findMarkOn(device: BlockDevice): FoundMark | undefined {
  const node = nodePath(device.name);
  const text = readMark(node);
  if (text !== undefined) return { text, place: device.place, node: () => node };
  const marked = device.place && findMarkedVolume(device);
  if (!marked) return undefined;
  const place = { ...device.place, volume: marked.uuid };
  return {
    text: marked.mark,
    place,
    node: () => {
      const served = findServed(place);
      if (!served) throw new FormatError(device.name, 'it has gone');
      return nodePath(served.name);
    },
  };
}

function readMarkText(text: string | undefined, services: ServiceList): Mark | undefined {
  const mark = v.safeParse(markSchema(services), parsed(text ?? ''));
  return mark.success ? mark.output : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
