// The ports of the agent of an OS, on the machine address of the computer it is on: the control port and the claim desk.
// Closed while the OS is frozen: a frozen process must hold no port that its ghost or its helper needs.
import { setTimeout as sleep } from 'node:timers/promises';
import { asYadoError } from '#core/errors.ts';
import { ensureMachineAddress, readNetwork } from '#devices/network/network.ts';
import { waitUntil } from '#managers/wait.ts';
import { log } from './log.ts';

/** Something that listens, such as the control server or the claim desk. */
export interface Port {
  listen(address: string): Promise<void>;
  close(): Promise<void>;
}

export class OsPorts {
  readonly #ready: (address: string, signal: AbortSignal) => Promise<void>;
  readonly #ports: readonly Port[];
  readonly #pauseMs: number;
  #abort = new AbortController();
  #trying: Promise<void> = Promise.resolve();

  /** @param ready waits for the address to be there */
  constructor(
    ready: (address: string, signal: AbortSignal) => Promise<void>,
    ports: readonly Port[],
    pauseMs = 1000,
  ) {
    this.#ready = ready;
    this.#ports = ports;
    this.#pauseMs = pauseMs;
  }

  /** @throws Error what is missing or taken; then nothing is open */
  async open(address: string, signal = this.#abort.signal): Promise<void> {
    try {
      await this.#ready(address, signal);
      for (const port of this.#ports) await port.listen(address);
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  /**
   * For an OS that runs at `address`, come what may: what fails is tried again until it works or `close` is called.
   * Resolves after the first try; `late` is called when only a later one works.
   */
  async openForSure(address: string, late: () => void): Promise<void> {
    await this.close();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    try {
      await this.open(address, signal);
    } catch (error) {
      log(`no other computer hears the OS: ${asYadoError(error, address).message}`);
      this.#trying = this.#tryOn(address, late, signal);
    }
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#trying;
    await this.#close();
  }

  /** Never rejects. */
  async #tryOn(address: string, late: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#pauseMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const isOpen = await this.open(address, signal).then(
        () => true,
        () => false,
      );
      if (!isOpen || signal.aborted) continue;
      log('other computers hear the OS again');
      late();
      return;
    }
  }

  async #close(): Promise<void> {
    for (const port of this.#ports) await port.close();
  }
}

/** @throws Error after a minute without it */
export async function machineAddressIsThere(address: string, signal: AbortSignal): Promise<void> {
  const isThere = (): true | undefined => (readNetwork(address) ? true : undefined);
  await waitUntil('the bridge os0', isThere, { timeoutMs: 60_000, everyMs: 200, signal });
  ensureMachineAddress(address);
}
