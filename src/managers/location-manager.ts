// The location manager: keeps the device location table (Fig. 7) and routes by it: to the driver of this computer, or to
// the computer that has the device. For disks and networks the bytes never pass here: it only finds out where they are
// to be had.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Computer } from '#core/computer.ts';
import { afterArrival, type DeviceLocationTable, locate, withLocation } from '#core/device-location-table.ts';
import type { WayDecision } from '#core/device-ways.ts';
import { asYadoError, YadoError } from '#core/errors.ts';
import type { DeviceThere, Route } from '#devices/device.ts';
import { type ControlAnswer, type ControlRequest, type ControlType, controlPort } from '#wire/control.ts';
import { ask, type Peer } from './control-client.ts';
import type { OsKeys } from './identity.ts';

/** The OS, and the computers it knows. */
export interface OsPlace {
  readonly osId: string;
  readonly keys: OsKeys;
  /** The computer it is on now. */
  here(): Computer;
  epoch(): number;
  /** @throws YadoError `unknownComputer` */
  computer(name: string): Computer;
}

export class LocationManager {
  readonly #os: OsPlace;
  #table: DeviceLocationTable;

  /** All devices are here, unless an agent of this OS before this one has `saved` another place. */
  constructor(os: OsPlace, devices: readonly string[], saved: DeviceLocationTable = []) {
    this.#os = os;
    this.#table = devices.map(device => ({ device, computer: os.here().name, epoch: os.epoch() }));
    for (const { device, computer } of saved) if (devices.includes(device)) this.put(device, computer);
  }

  get table(): DeviceLocationTable {
    return this.#table;
  }

  /** The computer that has the device. @throws YadoError `unknownDevice`, `unknownComputer` */
  at(device: string): Computer {
    return this.#os.computer(locate(this.#table, device).computer);
  }

  /** Its name, when that is another one. @throws YadoError as `at` */
  elsewhere(device: string): string | undefined {
    const { name } = this.at(device);
    return name === this.#os.here().name ? undefined : name;
  }

  /** False also for a device the OS does not have. */
  isHere(device: string): boolean {
    return this.#table.some(each => each.device === device && each.computer === this.#os.here().name);
  }

  /** The way to a device as the table has it now: its driver here, or over the network to the one there. */
  route(device: string): Route {
    const at = this.at(device);
    if (at.name === this.#os.here().name) return drivers => drivers.here();
    const there = this.there(device, at.name);
    return drivers => drivers.there(there);
  }

  /** A device at that computer, whether it has it or had it before. @throws YadoError `unknownComputer` */
  there(device: string, computer: string): DeviceThere {
    const { osId, keys } = this.#os;
    const peer = peerOf({ here: this.#os.here(), keys }, this.#os.computer(computer));
    return { peer, osId, device, epoch: this.#os.epoch() };
  }

  /** The device is at that computer from now on. */
  put(device: string, computer: string): void {
    this.#table = withLocation(this.#table, device, computer, this.#os.epoch());
  }

  /** After the OS arrived: replaceable devices are here now, the others where the ways say. */
  arrived(ways: readonly WayDecision[]): void {
    const here = this.#os.here().name;
    this.#table = afterArrival(
      this.#table,
      here,
      this.#os.epoch(),
      ways.filter(each => each.computer === here).map(each => each.device),
    );
  }
}

/** The agent of another computer, as an OS that is here asks it. */
export const peerOf = (
  { here, keys }: { readonly here: Computer; readonly keys: OsKeys },
  there: Computer,
): Required<Peer> => ({
  name: there.name,
  ip: there.address,
  port: controlPort,
  localIp: here.address,
  keys,
});

/** It may answer a little later. */
export const isPassing = (error: unknown): boolean =>
  error instanceof YadoError && ['unreachable', 'busy'].includes(error.family);

/**
 * Asks the agent of another computer until it answers as wanted; a computer that is away for a while is waited for.
 * `complain` is told once of an answer that no waiting mends by itself.
 */
export async function askUntilAnswered<T extends ControlType>(
  peer: Peer,
  type: T,
  request: ControlRequest<T>,
  wanted: (answer: ControlAnswer<T>) => boolean,
  signal: AbortSignal,
  complain: (error: YadoError) => void = () => {},
  timeoutMs = 3000,
): Promise<ControlAnswer<T>> {
  for (let told = false; ; ) {
    signal.throwIfAborted();
    try {
      const answer = await ask(peer, type, request, { timeoutMs, signal });
      if (wanted(answer)) return answer;
    } catch (error) {
      if (signal.aborted) throw error;
      if (!told && !isPassing(error)) {
        told = true;
        complain(asYadoError(error, peer.name));
      }
    }
    await sleep(100, undefined, { signal });
  }
}
