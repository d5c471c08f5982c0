// The disk class: left where it is, served by its computer's ghost, reached over NBD (way 3); local again at home.
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { asYadoError, yadoError } from '#core/errors.ts';
import type { BlockPlace } from '#linux/block.ts';
import { askUntilAnswered } from '#managers/location-manager.ts';
import { waitUntil } from '#managers/wait.ts';
import type { Arrival, Device, DevicePlans, DeviceThere, Move } from '../device.ts';
import {
  type AttachedDisk,
  attachAgain,
  attachHere,
  attachThere,
  breakConnection,
  detachFormer,
  isConnectionLost,
  markHome,
  type RemoteDisk,
  takeOver,
} from './driver.ts';
import { exportNameOf } from './serve.ts';
import type { DiskLeft } from './service.ts';
import { type DiskMemory, DiskMemorySchema, diskItems } from './state.ts';
import { findStub, letThrough, putBeneath, suspendStep } from './stub.ts';

/** How long a move waits for the disk to be connected again. */
const readyMs = 60_000;
/** Between two tries to bring it up. */
const retryMs = 1000;

/**
 * The disk under the root file system, or undefined when the root lies on no stub. `remembered`: its memory from before
 * the agent was started anew, needed once the disk has been left behind.
 */
export function rootDisk(remembered?: unknown): RootDisk | undefined {
  const found = findStub();
  if (!found) return undefined;
  const { stub, below } = found;
  const memory = v.safeParse(DiskMemorySchema, remembered);
  if (memory.success) {
    takeOver(below.name);
    return new RootDisk(stub.sizeBytes, memory.output);
  }
  const typeName = `disk ${below.name.replace(/\d+$/, '')} at ${below.place?.pciAddress}`;
  if (!below.place) return undefined;
  markHome(below.place); // started from a marked disk after all: somebody has taken that risk
  return new RootDisk(stub.sizeBytes, { place: below.place, typeName });
}

class RootDisk implements Device {
  readonly id = 'disk0';
  readonly #sizeBytes: number;
  readonly #place: BlockPlace;
  /** Its name on the computer that has it, as it was when the OS started. */
  readonly #typeName: string;
  #keeping = new AbortController();
  /** A later restore, or a freeze, ends one that is under way. */
  #restoring = new AbortController();
  /** The computer it is brought up from, while `restore` is under way, or is reached at, when that is another one. */
  #computer: string | undefined;
  #isUp = true;

  constructor(sizeBytes: number, { place, typeName }: DiskMemory) {
    this.#sizeBytes = sizeBytes;
    this.#place = place;
    this.#typeName = typeName;
  }

  memory(): DiskMemory {
    return { place: this.#place, typeName: this.#typeName };
  }

  describe(elsewhere: string | undefined): DeviceStatusRow {
    return {
      device: this.id,
      class: 'disk',
      osType: this.#typeName,
      actualType: elsewhere === undefined ? this.#typeName : `NBD from ${elsewhere}`,
      way: elsewhere === undefined ? 'direct' : 'remote',
      items: diskItems(this.#sizeBytes),
    };
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
    return { kind: 'disk', device: this.id, place: this.#place };
  }

  async ready(woken: string | undefined, signal: AbortSignal): Promise<void> {
    const computer = this.#computer;
    if (computer === undefined) return;
    // That computer has forgotten the connection, and an idle one does not notice.
    if (computer === woken) breakConnection();
    const connected = (): true | undefined => (this.#isUp && !isConnectionLost() ? true : undefined);
    await waitUntil(this.id, connected, { timeoutMs: readyMs, everyMs: 50, signal }).catch(error => {
      signal.throwIfAborted();
      throw yadoError('diskUnreachable', { device: this.id, computer }, error);
    });
  }

  async hold(): Promise<void> {
    this.#restoring.abort();
  }

  /** As long as it takes: programs wait for their disk. */
  async restore(arrival: Arrival): Promise<void> {
    this.#keeping.abort();
    this.#restoring.abort();
    const mine = new AbortController();
    this.#restoring = mine;
    const signal = AbortSignal.any([arrival.signal, mine.signal]);
    this.#computer = arrival.at.name;
    this.#isUp = false;
    for (let said = '', isAgain = false; ; isAgain = true) {
      try {
        return await this.#bringUp({ ...arrival, signal }, isAgain);
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
    if (isAgain) await scan().catch(() => {});
    const beneath = await attachHere(this.#place, signal);
    signal.throwIfAborted();
    markHome(this.#place);
    this.#putBeneath(beneath);
    this.#computer = undefined;
  }

  async #connect(there: DeviceThere, { signal, say }: Arrival): Promise<void> {
    const beneath = await this.#reach(there, signal, say, where => attachThere(where, signal));
    signal.throwIfAborted();
    this.#putBeneath(beneath);
    this.#keeping = new AbortController();
    void this.#keep(there, this.#keeping.signal, say);
  }

  #putBeneath(disk: AttachedDisk): void {
    if (disk.isBeneath) letThrough();
    else putBeneath(disk, this.#sizeBytes);
    this.#isUp = true;
    detachFormer(disk);
  }

  /** Makes a connection that broke anew, from where the disk was left: its computer was away, or starts its standby. */
  async #keep(there: DeviceThere, signal: AbortSignal, say: Arrival['say']): Promise<void> {
    const { name } = there.peer;
    while (!signal.aborted) {
      await sleep(1000, undefined, { signal }).catch(() => {});
      if (signal.aborted || !isConnectionLost()) continue;
      say(`${this.id}: the connection to ${name} is lost; programs wait`);
      await this.#reach(there, signal, say, where => attachAgain(where, signal)).catch(() => {});
      if (!signal.aborted) say(`${this.id}: connected to ${name} again`);
    }
  }

  /** Tries for as long as it takes: programs wait for the disk, and nothing is gained by letting them fail. */
  async #reach<T>(
    { peer, osId, device, epoch }: DeviceThere,
    signal: AbortSignal,
    say: Arrival['say'],
    attach: (where: RemoteDisk) => Promise<T>,
  ): Promise<T> {
    const { name, ip, localIp } = peer;
    const exportName = exportNameOf(device, osId, epoch);
    let said = false;
    for (;;) {
      const served = await askUntilAnswered(
        peer,
        'device',
        { osId, device, epoch },
        answer => answer.ready,
        signal,
        error => say(`${this.id}: ${error.message}`),
      );
      if (served.exportName !== exportName) throw yadoError('diskUnreachable', { device, computer: name });
      try {
        const { port, secret, cipher } = served;
        const where = { ip, port, exportName, secret, cipher, localIp };
        return await attach({ ...where, sizeBytes: this.#sizeBytes });
      } catch (error) {
        if (signal.aborted) throw error;
        if (!said) say(`${device}: ${name} does not serve it yet: ${asYadoError(error, name).message}`);
        said = true;
        await sleep(200, undefined, { signal });
      }
    }
  }
}
