// A disk that follows: to the local disk that was named, beneath the stub of the running OS. Owns the table of the stub from
// `begin` to `stop`, and leaves the old disk alone beneath it unless all of the new one is equal. One that both computers reach is
// the same disk on another way: there is nothing to copy.
import { closeSync, fdatasyncSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterFollow, type Extent, type FollowState } from '#core/disk-follow.ts';
import { type Destiny, type FoundDisk, isOwnOf, sameness } from '#core/disk-wish.ts';
import { YadoError } from '#core/errors.ts';
import { type BlockDevice, describe, nodePath } from '#linux/block.ts';
import { forgetCached, readExtUuid, untilAnswered } from '#linux/disk-contents.ts';
import { disksCalled } from '#linux/disk-names.ts';
import { DmWriteCounter } from '#linux/dm-write-count.ts';
import { askUntilAnswered } from '#managers/location-manager.ts';
import { regionHashBytes } from '#wire/control.ts';
import { type Arrival, type DeviceThere, reasonOf } from '../device.ts';
import { DiskDiffers, DiskFailed, follow } from './follow.ts';
import { followWorld } from './follow-world.ts';
import { encodeCopyMark, markBytes, readMark, writeMark } from './left-mark.ts';
import { foundDisk, nameOf } from './look.ts';
import { type SharedMark, sharedMark } from './shared-mark.ts';
import {
  type Beneath,
  exchange,
  hasHidingModule,
  mirrorsState,
  putBeneath,
  rootStub,
  stubPath,
  tableOver,
} from './stub.ts';

/** The disk is looked for again so often while it is not there. */
const lookMs = 1000;
const markAgainMs = 5000;
/** Longer than a computer needs for the hashes of a window. */
const hashMs = 20_000;

/** The disk it follows to. */
export interface NewDisk {
  readonly found: FoundDisk;
  readonly local: BlockDevice;
  /** It is the old disk itself. */
  readonly shared?: SharedMark;
}

/** What it does, and is given. */
export interface FollowedDisk {
  readonly device: string;
  readonly sizeBytes: number;
  readonly osId: string;
  /** The old disk, and how its computer is asked for hashes. */
  readonly beneath: Beneath;
  readonly there: DeviceThere;
  readonly say: Arrival['say'];
  /**
   * Both disks are equal, and nothing passes the stub: from when this returns the new one is the OS's disk, also for an agent
   * that is started anew. The old one is asked for no more.
   */
  readonly taken: (disk: NewDisk) => void;
  /** Says on the disk that was taken what a cold start is to find there. */
  readonly mark: (local: BlockDevice) => void;
  /** What lies beneath the stub now, once requests go there. */
  readonly finished: (beneath: Beneath) => void;
}

export class Following {
  readonly wish: Destiny;
  readonly #disk: FollowedDisk;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #state: FollowState = { kind: 'waiting', reason: 'it has just begun' };
  /** UUID of that of the OS. */
  #fileSystem: string | undefined;
  /** Something was written to the new disk. */
  #isTouched = false;
  /** The new disk is the OS's disk: there is no way back. */
  #isTaken = false;

  constructor(wish: Destiny, disk: FollowedDisk) {
    this.wish = wish;
    this.#disk = disk;
    this.#ended = this.#run();
  }

  get state(): FollowState {
    return this.#state;
  }

  /** It has ended before it was done, or is about to. */
  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Unless it is done, the old disk alone lies beneath the stub when this returns, and it has all that was written. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  #become(state: FollowState): void {
    this.#state = afterFollow(this.#state, state);
  }

  async #run(): Promise<void> {
    const { device, sizeBytes, beneath, say } = this.#disk;
    const { signal } = this.#stop;
    const isShared = this.wish.mode === 'shared';
    try {
      const disk = await this.#takeDisk(isShared ? local => this.#meet(local) : local => this.#mark(local));
      say(`${device}: it ${isShared ? 'is' : 'follows to'} ${disk.found.name}`);
      if (!isShared) await this.#copy(disk.local);
      await this.#switchTo(disk);
    } catch (error) {
      const reason = this.#sayWhy(error);
      if (this.#isTaken) return say(`${device}: ${reason}`); // the old disk is behind what was written since
      if (this.#isTouched) await this.#putBeneath(beneath, sizeBytes);
      if (!signal.aborted) this.#giveUp(reason);
    }
  }

  #giveUp(reason: string): void {
    this.#become({ kind: 'givenUp', reason });
    this.#disk.say(`${this.#disk.device}: it does not follow: ${reason}; it stays where it was`);
  }

  /**
   * The disk of the wish, as it is now: what was looked at before the move may have changed. From the look at it to what `take`
   * does nothing is waited for, so that no other disk is in its place meanwhile.
   * @throws Error saying why it will not do
   */
  async #takeDisk(take: (local: BlockDevice) => NewDisk): Promise<NewDisk> {
    const { signal } = this.#stop;
    this.#fileSystem = await readExtUuid(stubPath(), signal);
    for (;;) {
      const there = this.#newDisk();
      if (there) await untilAnswered(nodePath(there.name), there.sizeBytes, signal);
      const local = there && this.#newDisk();
      if (local && local.name === there.name) return take(local);
      this.#become({ kind: 'waiting', reason: `there is no disk ${this.wish.name} (yet)` });
      await sleep(lookMs, undefined, { signal });
    }
  }

  #mark(local: BlockDevice): NewDisk {
    const { osId, there: old } = this.#disk;
    const found = this.#fit(local, this.#fileSystem);
    // No computer starts the OS from a disk that has half of it, and this one is known again.
    writeMark(nodePath(local.name), encodeCopyMark(osId, old.peer.name), 'anyway');
    this.#isTouched = true;
    return { found, local };
  }

  /** Writes nothing. @throws Error saying why it is not the disk that the other computer serves */
  #meet(local: BlockDevice): NewDisk {
    const { sizeBytes, osId, there } = this.#disk;
    const { name, place } = this.wish;
    const found = foundDisk(local);
    const shared = sharedMark(readMark(nodePath(local.name)), osId, there.epoch);
    const isSame = shared !== undefined && sameness(found.place) === sameness(place);
    const why = isSame
      ? this.#unfit(found, true, sizeBytes)
      : `does not bear the mark that ${there.peer.name} has just written: it is another disk`;
    if (why !== undefined || !shared) throw new Error(`${name} ${why}`);
    return { found, local, shared };
  }

  #newDisk(): BlockDevice | undefined {
    const { name, place } = this.wish;
    const [only, ...more] = disksCalled(name, place);
    if (more.length > 0) throw new Error(`${more.length + 1} disks are called ${name}`);
    return only;
  }

  /** @throws Error saying why it will not do */
  #fit(local: BlockDevice, fileSystem: string | undefined): FoundDisk {
    const { sizeBytes, osId } = this.#disk;
    const { name, mayOverwrite } = this.wish;
    const disk = foundDisk(local);
    const isItsOwn = isOwnOf(disk, osId, fileSystem);
    // A disk that says nothing of itself has another name whenever it is found: then its mark must say whose it is.
    if (disk.name === local.name && disk.name !== name && !isItsOwn)
      throw new Error(`${disk.name} is where ${name} was`);
    const why = this.#unfit(disk, isItsOwn || mayOverwrite, sizeBytes);
    if (why !== undefined) throw new Error(`${name} ${why}`);
    return disk;
  }

  #unfit(disk: FoundDisk, mayOverwrite: boolean, sizeBytes: number): string | undefined {
    if (disk.use !== null) return `is in use: ${disk.use}`;
    if (disk.isReadOnly) return 'cannot be written to';
    if (disk.sizeBytes < sizeBytes) return 'is too small';
    if (disk.sectorBytes > markBytes) return `has sectors of ${disk.sectorBytes} bytes`;
    if (!hasHidingModule()) return 'cannot be marked: the kernel has no dm_zero (modprobe dm_zero)';
    return disk.holds !== null && !mayOverwrite ? `is not empty: ${disk.holds}` : undefined;
  }

  async #copy(local: Beneath): Promise<void> {
    const { sizeBytes, beneath } = this.#disk;
    using counter = new DmWriteCounter(rootStub);
    const world = followWorld({
      sizeBytes,
      remote: beneath,
      local,
      hashesThere: extent => this.#hashesThere(extent),
      counter,
      told: progress => this.#become({ kind: 'copying', progress }),
      signal: this.#stop.signal,
      stub: rootStub,
    });
    await follow(world);
  }

  async #hashesThere({ start, bytes }: Extent): Promise<readonly string[]> {
    const { peer, osId, device, epoch } = this.#disk.there;
    const refused = new AbortController();
    const { hashes } = await askUntilAnswered(
      peer,
      'diskHashes',
      { osId, device, epoch, start, bytes },
      answer => answer.ready,
      AbortSignal.any([this.#stop.signal, refused.signal]),
      error =>
        error.code === 'followFailed' ? refused.abort(error) : this.#disk.say(`${device}: ${error.message}`),
      hashMs,
    ).catch(error => {
      throw refused.signal.aborted ? refused.signal.reason : error;
    });
    const all = Buffer.from(hashes);
    return Array.from({ length: Math.floor(all.length / regionHashBytes) }, (_, index) =>
      all.toString('hex', index * regionHashBytes, (index + 1) * regionHashBytes),
    );
  }

  /** The moment from which the new disk is the true one. Nothing passes the stub, and both disks are equal. */
  async #switchTo(disk: NewDisk): Promise<void> {
    const { local, shared } = disk;
    let isMarked = false;
    const { device, sizeBytes, taken, finished, say } = this.#disk;
    const copiedBytes = this.#state.kind === 'copying' ? this.#state.progress.copiedBytes : 0;
    const table = tableOver(`${local.major}:${local.minor}`, sizeBytes);
    const isTrue = async (): Promise<boolean> => {
      this.#stop.signal.throwIfAborted();
      const { failed } = shared ? {} : mirrorsState();
      if (failed) throw new DiskFailed(failed);
      settle(nodePath(local.name));
      taken(disk);
      this.#isTaken = true;
      isMarked = this.#isMarked(local); // should this agent die here, the next one does it
      return true;
    };
    await exchange(table, isTrue).catch(async error => {
      if (!this.#isTaken) throw error;
      say(`${device}: ${reasonOf(error)}`);
      await this.#putBeneath(local, sizeBytes);
    });
    // Before the other computer hears that it is not needed: it looks at the mark.
    while (!isMarked) {
      await sleep(markAgainMs);
      isMarked = this.#isMarked(local);
    }
    this.#become({ kind: 'done', copiedBytes, sizeBytes, ...(shared && { isShared: true }) });
    say(`${device}: ${nameOf(describe(local))} is the disk of the OS now`);
    finished(local);
  }

  #isMarked(local: BlockDevice): boolean {
    try {
      this.#disk.mark(local);
      return true;
    } catch (error) {
      this.#disk.say(
        `${this.#disk.device}: its mark cannot be changed: ${reasonOf(error)}. It is tried again.`,
      );
      return false;
    }
  }

  /** As long as it takes: programs wait for their disk. */
  async #putBeneath(beneath: Beneath, sizeBytes: number): Promise<void> {
    const { device, say } = this.#disk;
    for (let said = ''; ; await sleep(1000)) {
      try {
        return await putBeneath(beneath, sizeBytes);
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== said)
          say(`${device}: what lies beneath it cannot be exchanged: ${reason}. It is tried again.`);
        said = reason;
      }
    }
  }

  #sayWhy(error: unknown): string {
    if (error instanceof YadoError) return error.message.replace(/^.* does not follow: |\.$/g, '');
    const { name } = this.wish;
    if (error instanceof DiskFailed)
      return error.where === 'here'
        ? `${name} refused to be read or written`
        : `the disk at ${this.#disk.there.peer.name} refused to be read or written`;
    if (error instanceof DiskDiffers) return `${name} does not keep what is written to it: ${error.message}`;
    return reasonOf(error);
  }
}

/**
 * Everything that was written is on the disk, not in its cache, when this returns, and the kernel remembers nothing of what was
 * there before. Waits on the spot: a thread of this agent may be waiting for the stub.
 */
function settle(path: string): void {
  const fd = openSync(path, 'r+');
  try {
    fdatasyncSync(fd);
    forgetCached(fd);
  } finally {
    closeSync(fd);
  }
}
