// A disk that an OS left on this computer, served to it by the ghost and, after kexec, by the standby that follows: to the
// OS in its newest epoch only, and again when the server has died.
import * as v from 'valibot';
import { regionsOf } from '#core/disk-follow.ts';
import { BlockPlaceSchema } from '#core/disk-wish.ts';
import { yadoError } from '#core/errors.ts';
import { findBlockDevice, nodePath } from '#linux/block.ts';
import { hashParts } from '#linux/region-hashes.ts';
import { type ControlAnswer, type ControlRequest, nbdPort } from '#wire/control.ts';
import { secretBytes } from '#wire/frames.ts';
import { reasonOf } from '../device.ts';
import { type LeftService, type LeftWorld, leftClass, type ServiceOf } from '../service.ts';
import { attachHere } from './driver.ts';
import { clearMark, isCopyMark, markBytes, readMark, writeMark } from './left-mark.ts';
import { type DiskService, exportNameOf, serveDisk } from './serve.ts';
import { isMarkedElsewhere, StartsSchema } from './shared-mark.ts';
import { findServed } from './volume.ts';

/** The OS asks many times a second: a server that cannot be started is not tried as often. */
const retryMs = 1000;
/** The PCI bus is scanned anew just then. */
const markMs = 20_000;

const DiskLeftSchema = v.strictObject({
  kind: v.literal('disk'),
  device: v.pipe(v.string(), v.maxLength(256)),
  place: BlockPlaceSchema,
  /** Other computers reach it, too: which one starts from it. */
  starts: v.exactOptional(StartsSchema),
});
export type DiskLeft = v.InferOutput<typeof DiskLeftSchema>;

export class LeftDisk implements LeftService {
  readonly state: DiskLeft;
  readonly needsDrivers = true;
  readonly #world: LeftWorld;
  #served: { readonly service: DiskService; readonly epoch: number } | undefined;
  /** What it was marked with when it was served. */
  #mark: string | undefined;
  /** Before the grant nobody may write to what was left. */
  #isServing = false;
  #isStarting = false;
  #turn: Promise<void> = Promise.resolve();
  /** The OS has its disk elsewhere: what is here is of no account any more. */
  #isReleased = false;

  constructor(state: DiskLeft, world: LeftWorld) {
    this.state = state;
    this.#world = world;
  }

  get isHere(): boolean {
    const { volume: _, ...hardware } = this.state.place;
    return findBlockDevice(hardware) !== undefined;
  }

  async mark(text: string): Promise<void> {
    const { name } = await attachHere(this.state.place, findServed, AbortSignal.timeout(markMs));
    writeMark(nodePath(name), text);
  }

  async serve(): Promise<void> {
    if (this.#isReleased) return;
    this.#isServing = true;
    this.#seeToIt();
    await this.#turn;
  }

  /** The OS waits until it is served again. */
  async stop(): Promise<void> {
    this.#isServing = false;
    await this.#turn;
    await this.#served?.service.stop();
    this.#served = undefined;
  }

  unmark(): void {
    const { place } = this.state;
    const device = findServed(place);
    if (!device) throw new Error(`no disk at ${place.pciAddress}`);
    const node = nodePath(device.name);
    this.#world.record(readMark(node)); // refuses the mark of another OS, or of another computer
    clearMark(node);
    this.#isReleased = true;
  }

  /** Where it is to be had, and the secret of the one connection that is made next. */
  device(): ControlAnswer<'device'> {
    this.#seeToIt();
    const { service } = this.#served ?? {};
    return {
      ready: service !== undefined,
      exportName: this.#exportName,
      port: nbdPort,
      secret: service?.invite() ?? new Uint8Array(secretBytes),
      cipher: this.#world.cipher,
    };
  }

  get isOver(): boolean {
    return this.#isReleased;
  }

  /** Of the regions of a part of the disk. What was written to the server is on it before it is read. */
  async diskHashes({ start, bytes }: ControlRequest<'diskHashes'>): Promise<ControlAnswer<'diskHashes'>> {
    this.#seeToIt();
    const device = findServed(this.state.place);
    if (!this.#served || !device) return { ready: false, hashes: new Uint8Array() };
    const node = nodePath(device.name);
    const refused = (reason: string, cause?: unknown): Error =>
      yadoError('followFailed', { device: this.state.device, reason }, cause);
    const { computer } = this.#world;
    if (!this.#isMarked(node))
      throw refused(`the disk that was named is the one that ${computer.name} serves`);
    const hidden = { blankBytes: markBytes };
    const hashes = await hashParts(node, regionsOf({ start, bytes }), 'disk', hidden).catch(error => {
      throw refused(`it cannot be read at ${computer.name}: ${reasonOf(error)}`, error);
    });
    return { ready: true, hashes: Uint8Array.from(Buffer.concat(hashes)) };
  }

  /** False: the copy was begun over this very disk, which both computers reach. Then it is marked again. */
  #isMarked(node: string): boolean {
    const mark = readMark(node);
    if (mark === undefined || !isCopyMark(mark)) return true;
    if (this.#mark !== undefined) writeMark(node, this.#mark);
    return false;
  }

  /** Asked again it is the same. The mark stays: this disk has an older state of the OS, which must not be started. */
  async diskReleased(): Promise<ControlAnswer<'diskReleased'>> {
    if (this.#isReleased) return {};
    await this.stop();
    this.#isReleased = true;
    const { say, record } = this.#world;
    const { device, place } = this.state;
    say(`${device}: the OS does not need it from here any more`);
    try {
      const found = findServed(place);
      const node = found && nodePath(found.name);
      const mark = node && readMark(node);
      // It may be the very same disk, used from elsewhere.
      if (node !== undefined && !isMarkedElsewhere(mark, this.state.starts)) writeMark(node, record(mark));
    } catch (error) {
      say(
        `${device}: its mark is still the one of before: ${error instanceof Error ? error.message : error}`,
      );
    }
    return {};
  }

  get #exportName(): string {
    return exportNameOf(this.state.device, this.#world.osId, this.#world.epoch());
  }

  /**
   * A newer epoch gives the export another name, and with it nobody is connected who was before. A service that has ended,
   * or could not be started, is started again: the OS asks until it has its disk.
   */
  #seeToIt(): void {
    const served = this.#served;
    const isGood = served?.service.isAlive === true && served.epoch === this.#world.epoch();
    if (!this.#isServing || this.#isReleased || isGood || this.#isStarting) return;
    this.#served = undefined;
    this.#isStarting = true;
    this.#turn = this.#turn
      .then(() => served?.service.stop())
      .then(() => this.#start())
      .then(
        () => {
          this.#isStarting = false;
        },
        (error: Error) => {
          this.#world.say(`cannot serve ${this.state.device}: ${error.message}`);
          setTimeout(() => {
            this.#isStarting = false;
          }, retryMs);
        },
      );
  }

  async #start(): Promise<void> {
    const { device, place } = this.state;
    const { computer, say } = this.#world;
    await this.#world.fault('ghost.disk');
    const epoch = this.#world.epoch();
    const exportName = this.#exportName;
    const disk = {
      place,
      exportName,
      cipher: this.#world.cipher,
      mark: (before: string | undefined) => {
        this.#mark = this.#world.record(before);
        return this.#mark;
      },
      say,
    };
    const signal = AbortSignal.timeout(30_000);
    const service = await serveDisk(disk, computer.address, nbdPort, signal);
    this.#served = { service, epoch };
    say(`serving ${device} as ${exportName}`);
  }
}

export const service = {
  left: leftClass(
    DiskLeftSchema,
    ['device', 'diskHashes', 'diskReleased'],
    (left, world) => new LeftDisk(left, world),
  ),
} satisfies ServiceOf<'disk'>;
