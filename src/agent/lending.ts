// `yado lend` and `yado return`: a screen, a keyboard or a printer of another computer serves the OS, which stays where it
// is. Only the location table changes; the stub that programs use is the same before and after.
import type { LendRequest, ReturnRequest } from '#core/api.ts';
import type { Computer } from '#core/computer.ts';
import { type DeviceClass, isLendable } from '#core/device-class.ts';
import { asYadoError, yadoError } from '#core/errors.ts';
import { ask } from '#managers/control-client.ts';
import { type OsPlace, peerOf } from '#managers/location-manager.ts';
import { log } from './log.ts';

/** What lending needs of the agent that has the OS. */
export interface LendingWorld extends OsPlace {
  /** Class of a device and the computer that has it. @throws YadoError `unknownDevice` */
  device(id: string): { readonly class: DeviceClass; readonly at: string };
  /** Writes the location table and brings the device up there. */
  place(device: string, computer: string): Promise<void>;
}

const askMs = 20_000;

export class Lending {
  readonly #world: LendingWorld;
  /** By device: the computer that had it before it was lent. */
  readonly #former: Map<string, string>;

  constructor(world: LendingWorld, former: Readonly<Record<string, string>> = {}) {
    this.#world = world;
    this.#former = new Map(Object.entries(former));
  }

  /** For an agent that is started anew. */
  get former(): Record<string, string> {
    return Object.fromEntries(this.#former);
  }

  /** @throws YadoError `notLendable`, `alreadyThere`, `unknownDevice`, `unknownComputer`, or what the lender answered */
  async lend({ device, to }: LendRequest): Promise<object> {
    const { at, class: deviceClass } = this.#world.device(device);
    if (!isLendable(deviceClass)) throw yadoError('notLendable', { device });
    const lender = this.#world.computer(to);
    if (lender.name === at) throw yadoError('alreadyThere', { device, computer: at });
    if (lender.name === this.#world.here().name) return this.return({ device });
    const { osId } = this.#world;
    const { typeName } = await this.#ask(lender, 'lend', {
      osId,
      device,
      class: deviceClass,
      epoch: this.#world.epoch(),
    });
    const former = this.#former.get(device);
    this.#former.set(device, former ?? at);
    await this.#world.place(device, lender.name);
    if (former !== undefined) this.#giveBack(device, at);
    log(`${device}: now ${typeName} of ${lender.name}`);
    return { device, computer: lender.name, typeName };
  }

  /** @throws YadoError `notLent` */
  async return({ device }: ReturnRequest): Promise<object> {
    const { at } = this.#world.device(device);
    const former = this.#former.get(device);
    if (former === undefined) throw yadoError('notLent', { device, computer: at });
    this.#former.delete(device);
    await this.#world.place(device, former);
    this.#giveBack(device, at);
    return { device, computer: former };
  }

  /** Before the OS moves to a lender, which then needs its devices itself. */
  async returnAllFrom(computer: string): Promise<void> {
    for (const [device, lender] of this.lenders) if (lender === computer) await this.return({ device });
  }

  /** The lender does not answer any more: the OS goes on with the device it had before. */
  gone(device: string): void {
    if (!this.#former.has(device)) return;
    const { at } = this.#world.device(device);
    log(`${device}: ${at} lent it and is gone; back to the device of before`);
    this.return({ device }).catch(error => log(`${device}: ${asYadoError(error, at).message}`));
  }

  /** The OS is on another computer now and uses that one's devices: what was lent goes back. */
  arrived(stillAt: (device: string) => string, lentAt: ReadonlyMap<string, string>): void {
    for (const [device, lender] of lentAt) {
      if (stillAt(device) === lender) continue;
      this.#former.delete(device);
      this.#giveBack(device, lender);
    }
  }

  /** By device that is lent: the lender. */
  get lenders(): ReadonlyMap<string, string> {
    return new Map([...this.#former.keys()].map(device => [device, this.#world.device(device).at]));
  }

  /** Best effort: a lender that does not hear it gives up by itself when nobody asks any more. */
  #giveBack(device: string, lender: string): void {
    this.#ask(this.#world.computer(lender), 'giveBack', { device, epoch: this.#world.epoch() }).catch(error =>
      log(`${device}: ${lender} does not hear that it is given back: ${asYadoError(error, lender).message}`),
    );
  }

  #ask: <T extends 'lend' | 'giveBack'>(
    lender: Computer,
    type: T,
    request: Parameters<typeof ask<T>>[2],
  ) => ReturnType<typeof ask<T>> = (lender, type, request) =>
    ask(peerOf({ here: this.#world.here(), keys: this.#world.keys }, lender), type, request, {
      timeoutMs: askMs,
    });
}
