// The OS as its agent knows it: which computer it is on, in which epoch, what moves it has been through, and which
// computers it knows. A part of what is saved for an agent that is started anew.
import { uptime } from 'node:os';
import type { Capabilities } from '#core/capabilities.ts';
import type { Computer } from '#core/computer.ts';
import { yadoError } from '#core/errors.ts';
import { type History, type HistoryEntry, withEntry } from '#core/history.ts';
import { computerAt, machineAddressOf } from '#core/machine-address.ts';
import type { OsState } from '#core/os-state.ts';
import { readNetwork } from '#devices/network/network.ts';
import { readRsdp } from '#linux/acpi.ts';
import type { OsPlace } from '#managers/location-manager.ts';
import { agentImageHash, gatherCapabilities, measuredOnce } from './capabilities.ts';
import type { Config } from './config.ts';
import type { OsKeyring } from './os-keyring.ts';
import type { SavedState } from './saved-state.ts';

/** Of an OS whose settings give it no id. */
export const defaultOsId = 'os';

export class Os implements OsPlace {
  readonly osId: string;
  readonly keys: OsKeyring;
  readonly #config: Config;
  #here: Computer;
  #epoch: number;
  /** Of the computer the OS is on now. */
  #rsdp: number | undefined;
  #cipherRates = measuredOnce();
  #history: History;

  /** @param begunEpoch of the newest move that was ever begun with this OS, as far as it is known */
  constructor(config: Config, saved: SavedState | undefined, keys: OsKeyring, begunEpoch = 0) {
    this.#config = config;
    this.keys = keys;
    this.osId = config.os?.id ?? defaultOsId;
    // Of the computer it was started on its settings tell the address, and they may have been changed.
    this.#here = saved && saved.here.name !== this.#first.name ? saved.here : this.#first;
    // Epochs only grow, also over a restart of the OS: they begin with the second it was started. A clock may have been set back
    // since; with an older epoch the OS would be taken for what it was before, and its disk for an old one.
    this.#epoch = saved?.epoch ?? Math.max(Math.floor(Date.now() / 1000 - uptime()), begunEpoch);
    this.#rsdp = saved ? (saved.rsdp ?? undefined) : readRsdp();
    this.#history = saved?.history ?? [];
  }

  get saved(): Pick<SavedState, 'here' | 'epoch' | 'rsdp' | 'history'> {
    return { here: this.#here, epoch: this.#epoch, rsdp: this.#rsdp ?? null, history: [...this.#history] };
  }

  here(): Computer {
    return this.#here;
  }

  epoch(): number {
    return this.#epoch;
  }

  get history(): History {
    return this.#history;
  }

  /** Name of the computer the OS was started on. */
  get home(): string {
    return this.#first.name;
  }

  /** True on the computer the OS was started on. */
  get isAtHome(): boolean {
    return this.#here.name === this.#first.name;
  }

  /** All it knows, the one it is on first. */
  get computers(): readonly Computer[] {
    // An address that was given for the pairing counts before that of the configuration.
    const paired = this.keys.paired.computers.flatMap(({ name, address }) =>
      address === undefined ? [] : [{ name, address }],
    );
    const known = this.#config.computers.map(({ name, address }) => ({ name, address }));
    const all = [this.#here, this.#first, ...paired, ...known];
    return all.filter(({ name }, index) => all.findIndex(each => each.name === name) === index);
  }

  /** The disk of a computer that the settings give to this OS. */
  diskAt(name: string): string | undefined {
    return this.#config.computers.find(each => each.name === name)?.disk;
  }

  /** @throws YadoError `unknownComputer` */
  computer(name: string): Computer {
    const found = this.computers.find(each => each.name === name);
    if (!found) throw yadoError('unknownComputer', { computer: name });
    return found;
  }

  /** Of the computer it is on. `state`: what only this agent is to see; null for what another computer is told. */
  async capabilities(state: OsState | null): Promise<Capabilities> {
    const { name, address } = this.#here;
    const network = readNetwork(address);
    const card = network && {
      name: network.port.name,
      mac: network.portMac,
      // What this computer will have once the OS has left it.
      address: machineAddressOf(this.#here),
    };
    return gatherCapabilities(
      name,
      'active',
      await agentImageHash(),
      await this.#cipherRates(),
      card,
      this.#rsdp,
      state,
    );
  }

  arrived(here: Computer, epoch: number, rsdp: number | null): void {
    this.#here = here;
    this.#epoch = epoch;
    this.#rsdp = rsdp ?? undefined;
    this.#cipherRates = measuredOnce();
  }

  /** The epoch of a move that failed is used up: a copy that was made in it must never be taken for a later one. */
  useUp(epoch: number): void {
    this.#epoch = epoch;
  }

  remember(entry: HistoryEntry): void {
    this.#history = withEntry(this.#history, entry);
  }

  get #first(): Computer {
    const { name, address } = this.#config.computer;
    return computerAt(name, address);
  }
}
