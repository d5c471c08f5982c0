// The devices of the OS as its agent holds them: both managers, lending, and bringing devices up wherever the OS is.
import { type DeviceLocationTable, locate } from '#core/device-location-table.ts';
import type { DeviceStatusTable } from '#core/device-status-table.ts';
import { comesBeforeDisk, type WayDecision } from '#core/device-ways.ts';
import type { FollowReport } from '#core/disk-follow.ts';
import type { Destiny } from '#core/disk-wish.ts';
import { asYadoError, YadoError, yadoError } from '#core/errors.ts';
import { type Device, reasonOf, type Storage } from '#devices/device.ts';
import { scanPci } from '#linux/pci-scan.ts';
import type { DeviceList, ProbedOs } from '#managers/device-list.ts';
import { LocationManager, type OsPlace } from '#managers/location-manager.ts';
import { StatusManager } from '#managers/status-manager.ts';
import { Lending } from './lending.ts';
import { log } from './log.ts';
import type { SavedState } from './saved-state.ts';

/** What the devices must know of the OS, and tell it. */
export interface OsWithDevices extends OsPlace {
  /** The tables have changed. */
  changed(): void;
  /** From the call for a move to its end: what is to move is settled. */
  isMoving(): boolean;
}

/** What is kept for an agent that is started anew on the same OS. */
export type SavedDevices = Pick<SavedState, 'locations' | 'devices' | 'lentFrom'>;

/** For what is plugged in while the OS runs. */
const lookEveryMs = 5000;
/** As long as it takes: programs wait for their disk, and nothing is gained by letting them fail. */
const restoreMs = 24 * 3600_000;

export class OsDevices {
  readonly status: StatusManager;
  readonly locations: LocationManager;
  readonly lending: Lending;
  readonly #place: OsWithDevices;
  readonly #list: Pick<DeviceList, 'probe' | 'lookAgain'>;
  readonly #probed: ProbedOs;
  /** From the freeze until devices are brought up again: nothing else may bring one up. */
  #held = false;
  #looking: Promise<void> | undefined;
  #lookFailed = '';

  constructor(
    place: OsWithDevices,
    saved: SavedDevices | undefined,
    list: Pick<DeviceList, 'probe' | 'lookAgain'>,
    settings?: ProbedOs['settings'],
  ) {
    this.#place = place;
    this.#list = list;
    this.#probed = { machineAddress: () => place.here().address, remembered: saved?.devices, settings };
    this.status = new StatusManager(list.probe(this.#probed));
    const ids = this.status.devices.map(each => each.id);
    const replaced = this.status.devices.filter(each => each.isReplaced).map(each => each.id);
    const former = saved?.locations.filter(row => !replaced.includes(row.device));
    this.locations = new LocationManager(place, ids, former);
    this.lending = new Lending(
      {
        osId: place.osId,
        keys: place.keys,
        here: () => place.here(),
        epoch: () => place.epoch(),
        computer: name => place.computer(name),
        device: id => this.#describe(id),
        place: (device, computer) => this.#moveDevice(device, computer),
      },
      saved?.lentFrom,
    );
  }

  get saved(): SavedDevices {
    return {
      locations: [...this.locations.table],
      devices: this.status.memories(),
      lentFrom: this.lending.former,
    };
  }

  /** The device status table as it is now. */
  table(): DeviceStatusTable {
    return this.status.table(device => this.locations.elsewhere(device));
  }

  get where(): DeviceLocationTable {
    return this.locations.table;
  }

  isHere(device: string): boolean {
    return this.locations.isHere(device);
  }

  /** For an agent that has just been started, once: what only an agent makes, and what another one had connected. */
  async restoreAfterStart(): Promise<void> {
    setInterval(() => void this.look(), lookEveryMs).unref();
    await this.restore(
      this.status.devices
        .filter(each => each.isMadeHere || each.isUnfinished || !this.isHere(each.id))
        .map(each => each.id),
    );
    await this.scan().catch(() => {}); // the agent before may have ended before all cards had their drivers
  }

  /** Brings devices up where the location table says they are: all, or only these, none waiting for another. Never rejects. */
  async restore(only?: readonly string[]): Promise<void> {
    this.#held = false;
    const wanted = this.status.devices.filter(each => !only || only.includes(each.id));
    await Promise.all(wanted.map(each => this.#restore(each)));
  }

  async #restore(device: Device): Promise<void> {
    const here = this.#place.here();
    try {
      await device.restore({
        here,
        at: this.locations.at(device.id),
        route: this.locations.route(device.id),
        signal: AbortSignal.timeout(restoreMs),
        scan: () => this.scan('disks'),
        taken: () => this.#take(device.id, here.name),
        there: computer => this.locations.there(device.id, computer),
        changed: () => this.#place.changed(),
        gone: () => {
          if (!this.#held) this.lending.gone(device.id);
        },
        say: log,
      });
    } catch (error) {
      const told =
        error instanceof YadoError
          ? error
          : yadoError('deviceArriveFailed', {
              computer: here.name,
              step: `bring up ${device.id}`,
              reason: reasonOf(error),
            });
      log(`${device.id}: ${told.message} (${told.hint})`);
    }
  }

  /** @throws Error when it cannot be kept for an agent that is started anew: then the device stays where it was */
  #take(device: string, computer: string): void {
    const before = this.locations.at(device).name;
    this.locations.put(device, computer);
    try {
      this.#place.changed();
    } catch (error) {
      this.locations.put(device, before);
      throw error;
    }
  }

  /**
   * What was plugged in since, of a class the OS has no device of, becomes a device of the OS: its stub is there when this
   * returns. Never rejects.
   */
  look(): Promise<void> {
    return this.#place.isMoving() ? Promise.resolve() : this.#lookNow();
  }

  #lookNow(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    try {
      const before = this.status.devices;
      const devices = this.#list.lookAgain(before, this.#probed);
      const fresh = devices.filter(each => !before.includes(each)).map(each => each.id);
      this.#lookFailed = '';
      if (fresh.length === 0) return;
      for (const id of fresh) this.locations.put(id, this.#place.here().name);
      this.status.devices = devices;
      await this.restore(fresh);
      this.#place.changed();
    } catch (error) {
      const { message } = asYadoError(error, this.#place.here().name);
      if (message !== this.#lookFailed) log(`what was plugged in cannot be used: ${message}`);
      this.#lookFailed = message;
    }
  }

  /** Before a move: see `Device.ready`. What was plugged in at the last moment is known too. */
  async ready(woken: string | undefined, signal: AbortSignal): Promise<void> {
    await this.#lookNow();
    for (const device of this.status.devices) await device.ready?.(woken, signal);
  }

  /** A move was given up before anything was stopped: what `ready` has stopped goes on. */
  goOn(): void {
    for (const device of this.status.devices) device.goOn?.();
  }

  /** Of the device with data in it: see `Device`. */
  get #withData(): Device | undefined {
    return this.status.devices.find(each => each.storage);
  }

  storage(): { readonly device: string; readonly at: string; readonly storage: Storage } | undefined {
    const device = this.#withData;
    const storage = device?.storage?.();
    return device && storage && { device: device.id, at: this.locations.at(device.id).name, storage };
  }

  destine(destiny: Destiny | undefined): void {
    this.#withData?.destine?.(destiny);
  }

  following(): FollowReport | undefined {
    return this.#withData?.following?.();
  }

  /**
   * Looks for the cards of the computer the OS is on now; their drivers have them when this returns. Before the disk is there only
   * those that a disk may hang on: other drivers may read their firmware from it.
   */
  async scan(what: 'all' | 'disks' = 'all'): Promise<void> {
    for (const device of this.status.devices) device.scanning?.(true);
    try {
      await scanPci(each => what === 'all' || comesBeforeDisk(each.class));
    } finally {
      for (const device of this.status.devices) device.scanning?.(false);
    }
  }

  /** The last thing before the OS is frozen. */
  async hold(): Promise<void> {
    this.#held = true;
    for (const device of this.status.devices) await device.hold?.();
  }

  /** The agent ends in good order. Never rejects. */
  async end(): Promise<void> {
    for (const device of this.status.devices)
      await device.end?.().catch(error => log(`${device.id}: ${asYadoError(error, device.id).message}`));
  }

  /** The OS is on another computer now. Gives what must be told to those who lent something, once there is a network. */
  arrived(ways: readonly WayDecision[]): () => void {
    const { lenders } = this.lending;
    this.locations.arrived(ways);
    return () => this.lending.arrived(device => locate(this.where, device).computer, lenders);
  }

  #describe(id: string) {
    const row = this.table().find(each => each.device === id);
    if (!row) throw yadoError('unknownDevice', { device: id, computer: this.#place.here().name });
    return { class: row.class, at: locate(this.where, id).computer };
  }

  async #moveDevice(device: string, computer: string): Promise<void> {
    this.locations.put(device, computer);
    await this.restore([device]);
    this.#place.changed();
  }
}
