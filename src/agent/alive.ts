// Tells the computers the OS has left that it is alive: until then they keep what a roll back would need, and become no
// standby. They may be away for days, and the OS may have gone on, or its agent begun anew, before they hear it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Computer } from '#core/computer.ts';
import { asYadoError } from '#core/errors.ts';
import { ask } from '#managers/control-client.ts';
import type { OsKeys } from '#managers/identity.ts';
import { isPassing, peerOf } from '#managers/location-manager.ts';
import { log } from './log.ts';

export interface LivingOs {
  readonly osId: string;
  readonly epoch: number;
  readonly here: Computer;
  readonly keys: OsKeys;
}

/** A computer that is away is asked ever more rarely. */
export const pauseAfter = (spentMs: number): number => Math.min(30_000, Math.max(100, spentMs / 10));

export class AliveCalls {
  readonly #os: () => LivingOs;
  readonly #heard: () => void;
  #unaware: readonly Computer[];
  #abort = new AbortController();

  /** @param heard called when a computer has been told: `unaware` has changed */
  constructor(os: () => LivingOs, unaware: readonly Computer[], heard: () => void) {
    this.#os = os;
    this.#unaware = unaware;
    this.#heard = heard;
  }

  /** Left, and have not heard that the OS is alive. To be remembered for an agent that is started anew. */
  get unaware(): readonly Computer[] {
    return this.#unaware;
  }

  /** The OS has left one computer and is on another. */
  moved(from: Computer, to: Computer): void {
    this.#unaware = [...this.#unaware.filter(each => ![from.name, to.name].includes(each.name)), from];
  }

  /** Begins, or begins anew: they are asked often at first. */
  tell(): void {
    this.stop();
    this.#abort = new AbortController();
    for (const each of this.#unaware) this.#tell(each, this.#abort.signal).catch(() => {}); // stopped
  }

  stop(): void {
    this.#abort.abort();
  }

  async #tell(left: Computer, signal: AbortSignal): Promise<void> {
    const { osId, epoch, here, keys } = this.#os();
    const peer = peerOf({ here, keys }, left);
    const alive = { osId, epoch, computer: here.name, address: here.address };
    for (const began = performance.now(); ; ) {
      try {
        await ask(peer, 'alive', alive, { timeoutMs: 3000, signal });
        break;
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) {
          // It is no ghost of this OS any more.
          log(`${left.name} does not wait for the OS: ${asYadoError(error, left.name).message}`);
          break;
        }
      }
      await sleep(pauseAfter(performance.now() - began), undefined, { signal });
    }
    this.#unaware = this.#unaware.filter(each => each !== left);
    this.#heard();
  }
}
