// The disk class: left where it is, served by its computer's ghost, reached over NBD (way 3); local again at home.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { yadoError } from '#core/errors.ts';
import type { BlockPlace } from '#linux/block.ts';
import { askUntilAnswered } from '#managers/location-manager.ts';
import type { Arrival, Computer, Device, DevicePlans, Move, ServeState } from '../device.ts';
import { attachHere, attachThere, detachFormer } from './driver.ts';
import { diskItems } from './state.ts';
import { findStub, putBeneath, suspendStep } from './stub.ts';

/** The export of a disk in an epoch. */
export const exportNameOf = (device: string, osId: string, epoch: number): string =>
  `${osId}-${device}-${epoch}`;

/** The disk under the root file system, or undefined when the root lies on no stub. */
export function rootDisk(): Device | undefined {
  const found = findStub();
  const place = found?.below.place;
  if (!found || !place) return undefined;
  return new RootDisk(found.stub.sizeBytes, place, found.below.name);
}

class RootDisk implements Device {
  readonly id = 'disk0';
  readonly #sizeBytes: number;
  readonly #place: BlockPlace;
  /** Its name on the computer that has it, as it was when the OS started. */
  readonly #typeName: string;

  constructor(sizeBytes: number, place: BlockPlace, name: string) {
    this.#sizeBytes = sizeBytes;
    this.#place = place;
    this.#typeName = `disk ${name.replace(/\d+$/, '')} at ${place.pciAddress}`;
  }

  describe(here: Computer, at: Computer): DeviceStatusRow {
    const local = here.name === at.name;
    return {
      device: this.id,
      class: 'disk',
      osType: this.#typeName,
      actualType: local ? this.#typeName : `NBD from ${at.name}`,
      way: local ? 'direct' : 'remote',
      items: diskItems(this.#sizeBytes),
    };
  }

  pciAddress(): string {
    return this.#place.pciAddress;
  }

  plans(): DevicePlans {
    return { leave: [suspendStep()] };
  }

  leaveBehind(move: Move): ServeState {
    return { device: this.id, exportName: exportNameOf(this.id, move.osId, move.epoch), place: this.#place };
  }

  async restore(arrival: Arrival): Promise<void> {
    const beneath =
      arrival.here.name === arrival.at.name
        ? await attachHere(this.#place, arrival.signal)
        : await this.#attachRemote(arrival);
    putBeneath(beneath, this.#sizeBytes);
    detachFormer(beneath);
  }

  /** Tries for as long as it takes: programs wait for the disk, and nothing is gained by letting them fail. */
  async #attachRemote({ here, at, osId, epoch, signal }: Arrival) {
    const exportName = exportNameOf(this.id, osId, epoch);
    for (;;) {
      const served = await askUntilAnswered(
        here,
        at,
        'device',
        { device: this.id, epoch },
        answer => answer.ready,
        signal,
      );
      if (served.exportName !== exportName)
        throw yadoError('diskUnreachable', { device: this.id, computer: at.name });
      try {
        const where = { ip: at.address, port: served.port, exportName, localIp: here.address };
        return await attachThere({ ...where, sizeBytes: this.#sizeBytes }, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        await sleep(200, undefined, { signal });
      }
    }
  }
}
