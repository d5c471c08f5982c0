// The disk class: left where it is, served by its computer's ghost, reached over NBD (way 3); local again at home.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { type FollowReport, followReport } from '#core/disk-follow.ts';
import { type Destiny, sameness } from '#core/disk-wish.ts';
import { asYadoError, yadoError } from '#core/errors.ts';
import { describeRootTrouble } from '#core/root-trouble.ts';
import { type BlockDevice, type BlockPlace, findBlockDevice, nodePath } from '#linux/block.ts';
import { readExtUuid } from '#linux/disk-contents.ts';
import { namesOf } from '#linux/disk-names.ts';
import { waitUntil } from '#managers/wait.ts';
import type { Arrival, Device, DevicePlans, DeviceThere, Move, Storage } from '../device.ts';
import {
  type AttachedDisk,
  attachHere,
  attachThere,
  breakConnection,
  detachFormer,
  isConnectionLost,
  markHome,
  takeOver,
} from './driver.ts';
import { Following, type NewDisk } from './following.ts';
import { writeMark } from './left-mark.ts';
import { keepConnected, reach, release } from './reach.ts';
import type { DiskLeft } from './service.ts';
import { type DiskMemory, DiskMemorySchema, diskItems } from './state.ts';
import {
  findStub,
  findStubOverAny,
  flowsTo,
  isStubMirrored,
  isStubUnfinished,
  letThrough,
  markStartBeneath,
  putBeneath,
  stubPath,
  suspendStep,
} from './stub.ts';
import { dropServed, findHome } from './volume.ts';

/** How long a move waits for the disk to be connected again. */
const readyMs = 60_000;
/** Between two tries to bring it up. */
const retryMs = 1000;
/** A disk that follows is left where it was within this time, or the OS does not move. */
const stayMs = 60_000;

/**
 * The disk under the root file system, or undefined when the root lies on no stub. `remembered`: its memory from before
 * the agent was started anew, needed once the disk has been left behind.
 */
export function rootDisk(remembered?: unknown): RootDisk | undefined {
  const memory = v.safeParse(DiskMemorySchema, remembered);
  const any = memory.success ? findStubOverAny() : undefined;
  if (memory.success && any) {
    for (const { name } of any.below) takeOver(name);
    return new RootDisk(any.stub.sizeBytes, memory.output);
  }
  const found = findStub();
  if (!found) return undefined;
  const { stub, below } = found;
  if (!below.place) return undefined;
  markHome(below); // started from a marked disk after all: somebody has taken that risk
  return new RootDisk(stub.sizeBytes, {
    place: below.place,
    typeName: typeNameOf(below, below.place),
    ...named(below.place),
    ...markedWithin(),
  });
}

const markedWithin = (): Pick<DiskMemory, 'markStart'> => {
  const markStart = markStartBeneath() ?? 0;
  return markStart > 0 ? { markStart } : {};
};

/** Of what can be plugged in elsewhere: for a volume the disk or partition that it lies on. */
const named = ({ volume: _, ...hardware }: BlockPlace): Pick<DiskMemory, 'diskName'> => {
  const disk = findBlockDevice(hardware);
  const [diskName] = disk ? namesOf(disk) : [];
  return diskName === undefined ? {} : { diskName };
};

const typeNameOf = ({ name, dmName }: BlockDevice, { pciAddress, volume }: BlockPlace): string =>
  volume === undefined
    ? `disk ${name.replace(/\d+$/, '')} at ${pciAddress}`
    : `volume ${dmName} on the disk at ${pciAddress}`;

class RootDisk implements Device {
  readonly id = 'disk0';
  readonly isUnfinished: boolean;
  readonly #sizeBytes: number;
  #place: BlockPlace;
  /** By which the disk at `place` is found again. */
  #diskName: string | undefined;
  /** Of a LUKS container, in which the mark lies behind the header. */
  #markStart: number | undefined;
  /** Its name on the computer that had it, as it was when the OS started. */
  readonly #typeName: string;
  /** Several computers reach it, and it is not used from the one that starts from it. */
  #shared: DiskMemory['shared'];
  /** Of the disk it has followed to. */
  #actualType: string | undefined;
  #former: Readonly<Record<string, BlockPlace>>;
  /** Computers that had it, and have not heard that they need not keep it any more. */
  #owed: readonly string[];
  #destiny: Destiny | undefined;
  #following: Following | undefined;
  /** Lets it follow, if it is to; from the disk that lies beneath the stub now. */
  #begin: (() => void) | undefined;
  #keeping = new AbortController();
  /** A later restore, or a freeze, ends one that is under way. */
  #restoring = new AbortController();
  /** The computer it is brought up from, while `restore` is under way, or is reached at, when that is another one. */
  #computer: string | undefined;
  #isUp = true;
  /** Those are being told. */
  #releasing = new AbortController();

  constructor(
    sizeBytes: number,
    { place, diskName, markStart, typeName, actualType, shared, former, owed, destiny }: DiskMemory,
  ) {
    this.#sizeBytes = sizeBytes;
    this.#place = place;
    this.#diskName = diskName;
    this.#markStart = markStart;
    this.#typeName = typeName;
    this.#actualType = actualType;
    this.#shared = shared;
    this.#former = former ?? {};
    this.#owed = owed ?? [];
    this.#destiny = destiny;
    this.isUnfinished = isStubUnfinished() || this.#owed.length > 0;
  }

  memory(): DiskMemory {
    return {
      place: this.#place,
      typeName: this.#typeName,
      ...(this.#diskName !== undefined && { diskName: this.#diskName }),
      ...(this.#markStart !== undefined && { markStart: this.#markStart }),
      ...(this.#actualType !== undefined && { actualType: this.#actualType }),
      ...(this.#shared && { shared: this.#shared }),
      former: this.#former,
      ...(this.#owed.length > 0 && { owed: [...this.#owed] }),
      ...(this.#destiny && { destiny: this.#destiny }),
    };
  }

  describe(elsewhere: string | undefined): DeviceStatusRow {
    const follows = this.following();
    return {
      device: this.id,
      class: 'disk',
      osType: this.#typeName,
      actualType: elsewhere === undefined ? (this.#actualType ?? this.#typeName) : `NBD from ${elsewhere}`,
      way: elsewhere === undefined ? 'direct' : 'remote',
      items: [...diskItems(this.#sizeBytes), ...(follows ? [{ item: 'copy', state: follows.text }] : [])],
    };
  }

  following(): FollowReport | undefined {
    const { state, wish } = this.#following ?? {};
    return state && wish && followReport(state, wish.computer, performance.now());
  }

  storage(): Storage {
    return {
      sizeBytes: this.#sizeBytes,
      isContainer: this.#markStart !== undefined,
      isVolume: this.#place.volume !== undefined,
      isShared: this.#shared !== undefined,
      name: this.#diskName,
      sameness: sameness(this.#place),
      fileSystem: signal => readExtUuid(stubPath(), signal),
      placeAt: computer => this.#former[computer],
    };
  }

  destine(destiny: Destiny | undefined): void {
    this.#destiny = destiny;
  }

  pciAddress(): string {
    return this.#place.pciAddress;
  }

  plans(): DevicePlans {
    return { leave: [suspendStep()] };
  }

  leaveBehind(move: Move): DiskLeft | undefined {
    const decision = move.ways.find(each => each.device === this.id);
    if (decision?.way !== 'remote' || decision.computer !== move.source.name) return undefined;
    const starts = this.#shared && { starts: this.#shared.starts };
    return { kind: 'disk', device: this.id, place: this.#place, ...starts };
  }

  async ready(woken: string | undefined, signal: AbortSignal): Promise<void> {
    const computer = this.#computer;
    if (computer === undefined) return this.#lookAgain();
    // That computer has forgotten the connection, and an idle one does not notice.
    if (computer === woken) breakConnection();
    const connected = (): true | undefined => (this.#isUp && !isConnectionLost() ? true : undefined);
    await waitUntil(this.id, connected, { timeoutMs: readyMs, everyMs: 50, signal }).catch(error => {
      signal.throwIfAborted();
      throw yadoError('diskUnreachable', { device: this.id, computer }, error);
    });
    await this.#stay();
  }

  goOn(): void {
    const stopped = this.#following;
    if (!stopped?.isStopped || stopped.state.kind === 'done') return;
    void stopped.stop().then(() => {
      if (this.#following === stopped) this.#begin?.();
    });
  }

  async hold(): Promise<void> {
    this.#restoring.abort();
    this.#releasing.abort();
    await this.#stay();
    this.#refuseUnfit();
  }

  async end(): Promise<void> {
    await this.#stay();
  }

  /** A volume may have been moved to another disk since: that is where it is left. A container may have been made anew. */
  #lookAgain(): void {
    this.#markStart = markedWithin().markStart;
    const { volume } = this.#place;
    const place = volume === undefined ? undefined : findStub()?.below.place;
    if (place?.volume !== volume || !place) return;
    this.#place = place;
    this.#diskName = named(place).diskName;
  }

  /** Or have become another one since the checks: who is to serve it finds it by what LVM has written. */
  #refuseUnfit(): void {
    if (this.#place.volume === undefined || this.#computer !== undefined) return;
    const { below, trouble } = findStub() ?? {};
    if (!trouble && isDeepStrictEqual(below?.place, this.#place)) return;
    const { what, hint } = trouble
      ? describeRootTrouble(trouble)
      : { what: 'the volume of the OS lies on another disk now', hint: 'move again' };
    throw yadoError('volumeChanged', { device: this.id, what, hint });
  }

  /** What has not followed stays: the old disk has everything. @throws YadoError when that takes too long */
  async #stay(): Promise<void> {
    const following = this.#following;
    if (!following) return;
    const { id } = this;
    const computer = this.#computer ?? '';
    const ended = new AbortController();
    const late = sleep(stayMs, undefined, { ref: false, signal: ended.signal }).then(() => {
      throw yadoError('diskUnreachable', { device: id, computer });
    });
    await Promise.race([following.stop(), late]).finally(() => ended.abort());
  }

  /** As long as it takes: programs wait for their disk. */
  async restore(arrival: Arrival): Promise<void> {
    if (this.#following) await this.#following.stop(); // which needs the connection to the old disk
    this.#following = undefined;
    this.#begin = undefined;
    this.#releasing.abort();
    this.#keeping.abort();
    this.#restoring.abort();
    const mine = new AbortController();
    this.#restoring = mine;
    const signal = AbortSignal.any([arrival.signal, mine.signal]);
    this.#computer = arrival.at.name;
    this.#isUp = false;
    for (let said = '', isAgain = false; ; isAgain = true) {
      try {
        await this.#bringUp({ ...arrival, signal }, isAgain);
        return this.#tellFormer(arrival);
      } catch (error) {
        if (mine.signal.aborted) return;
        signal.throwIfAborted();
        const { message } = asYadoError(error, arrival.here.name);
        if (message !== said) arrival.say(`${this.id}: ${message} It is tried again.`);
        said = message;
        await sleep(retryMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Both drivers are the kernel's own: here it is only decided what lies beneath the stub, and the bytes never come by. */
  #bringUp(arrival: Arrival, isAgain: boolean): Promise<void> {
    return arrival.route({
      here: () => this.#bringHome(arrival, isAgain),
      there: device => this.#connect(device, arrival),
    });
  }

  async #bringHome({ signal, scan }: Arrival, isAgain: boolean): Promise<void> {
    // Nothing was held back yet: LVM has its volume, whatever it has made of it, and the OS has it through that.
    if (flowsTo(this.#place.volume)) {
      this.#computer = undefined;
      this.#isUp = true;
      return;
    }
    if (isAgain) await scan().catch(() => {});
    const beneath = await attachHere(this.#place, findHome, signal, this.#diskName);
    signal.throwIfAborted();
    this.#place = beneath.place ?? this.#place; // another connector, or a controller that counts anew
    this.#markTaken(beneath);
    await this.#putBeneath(beneath, 'here');
    signal.throwIfAborted();
    this.#computer = undefined;
    void dropServed(this.#place);
  }

  async #connect(there: DeviceThere, arrival: Arrival): Promise<void> {
    const { signal, say, here } = arrival;
    const beneath = await reach(there, this.#sizeBytes, signal, say, where => attachThere(where, signal));
    signal.throwIfAborted();
    await this.#putBeneath(beneath, 'there');
    signal.throwIfAborted(); // that may have taken long: somebody else may bring it up by now
    this.#keeping = new AbortController();
    void keepConnected(there, this.#sizeBytes, this.#keeping.signal, say);
    this.#begin = () => {
      const destiny = this.#destiny;
      if (destiny?.computer === here.name) this.#following = this.#follow(destiny, beneath, there, arrival);
    };
    this.#begin();
  }

  #follow(destiny: Destiny, beneath: AttachedDisk, there: DeviceThere, arrival: Arrival): Following {
    const { say, taken } = arrival;
    return new Following(destiny, {
      device: this.id,
      sizeBytes: this.#sizeBytes,
      osId: there.osId,
      beneath,
      there,
      say,
      taken: disk => this.#take(disk, there.peer.name, destiny.computer, taken),
      mark: local => this.#markTaken(local),
      finished: local => {
        this.#keeping.abort();
        this.#computer = undefined;
        try {
          detachFormer(local);
        } finally {
          this.#tellFormer(arrival);
        }
      },
    });
  }

  /** Until they answer: they would go on offering an old disk, and be good for no other OS. */
  #tellFormer({ here, there, changed, say }: Arrival): void {
    this.#releasing.abort();
    this.#releasing = new AbortController();
    const { signal } = this.#releasing;
    const tell = async (computer: string): Promise<void> => {
      const isDone = computer === here.name || (await release(there(computer), signal, say));
      if (!isDone) return;
      this.#owed = this.#owed.filter(each => each !== computer);
      changed();
    };
    for (const each of this.#owed)
      tell(each).catch(error => say(`${this.id}: ${asYadoError(error, each).message}`));
  }

  /** The computer that starts from it must not start the OS while that uses it from another one. */
  #markTaken(local: BlockDevice): void {
    if (this.#shared) writeMark(nodePath(local.name), this.#shared.mark);
    else markHome(local);
  }

  /** From when this returns the disk is at this computer. @throws Error when it could not be remembered: then it is not */
  #take({ found, local, shared }: NewDisk, from: string, to: string, taken: Arrival['taken']): void {
    const before = this.memory();
    const { [to]: _, ...others } = this.#former;
    this.#former = shared ? others : { ...others, [from]: this.#place }; // the same disk has no older state
    this.#owed = [...this.#owed.filter(each => each !== from && each !== to), from];
    this.#place = found.place;
    this.#diskName = named(local.place ?? found.place).diskName;
    this.#actualType = `disk ${found.name} at ${found.place.pciAddress}`;
    this.#destiny = undefined;
    const isElsewhere = shared && shared.starts.name !== to;
    this.#shared = isElsewhere ? { starts: shared.starts, mark: shared.usedBy(to) } : undefined;
    try {
      taken();
    } catch (error) {
      this.#former = before.former ?? {};
      this.#owed = before.owed ?? [];
      this.#place = before.place;
      this.#diskName = before.diskName;
      this.#actualType = before.actualType;
      this.#destiny = before.destiny;
      this.#shared = before.shared;
      throw error;
    }
  }

  /** At home there is no mark, and all of a container is the OS's: where the mark was, cryptsetup may need room. */
  async #putBeneath(disk: AttachedDisk, where: 'here' | 'there'): Promise<void> {
    const markStart = this.#markStart !== undefined && where === 'here' ? null : this.#markStart;
    if (disk.isBeneath && !isStubMirrored()) letThrough();
    else await putBeneath(disk, this.#sizeBytes, markStart);
    this.#isUp = true;
    detachFormer(disk);
  }
}
