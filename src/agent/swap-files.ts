// Swap files on the disk of the OS, for moves whose image would not find room in memory. They go with the OS, and are taken
// away in the background once there is room for what is in them; those that a former agent has made too. What is in them
// comes back over the network where the disk is on another computer: only while there is memory to spare, never when it is
// short. Nothing here touches the disk itself, only programs that are started for it: the agent must not wait for a disk.
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { yadoError } from '#core/errors.ts';
import { swapFolder } from '#core/image-room.ts';
import { parseSwaps } from '#linux/storage-in-use.ts';
import { reasonOf, type SwapTools, spareShare, swapTools } from './os-tools.ts';

/** Names of the files; packaging/files/prepare knows them too: it removes those of a computer that was switched off. */
const swapName = /^swap-\d+$/;
/** The kernel fills this area before all others. */
const highestPriority = '32767';
const soonMs = 1000;
const lateMs = 60_000;

/** What is done through others, so that a test can stand in. */
export interface SwapWorld extends SwapTools {
  readonly soonMs: number;
}

const realWorld: SwapWorld = { ...swapTools, soonMs };

export class SwapFiles {
  readonly #world: SwapWorld;
  #putting: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;

  constructor(world: Partial<SwapWorld> = {}) {
    this.#world = { ...realWorld, ...world };
  }

  /**
   * Makes one and has the kernel swap to it before all others. `computer`: the one the OS is on, for the message.
   * @throws YadoError `swapFileFailed`
   */
  async make(bytes: number, computer: string): Promise<void> {
    const { run } = this.#world;
    let number = 1;
    for (const used = this.#used(); used.has(`swap-${number}`); ) number++;
    const path = join(swapFolder, `swap-${number}`);
    try {
      await run(['rm', '-f', path]);
      await run(['fallocate', '-l', String(bytes), path]); // the folder is root's alone
      await run(['chmod', '600', path]);
      await run(['mkswap', path]);
      await run(['swapon', '-p', highestPriority, path]);
    } catch (error) {
      await run(['rm', '-f', path]).catch(() => {}); // a disk that is full, or away
      throw yadoError('swapFileFailed', { computer, folder: swapFolder, reason: reasonOf(error) });
    }
  }

  /** Takes all of them away, in the background, whenever there is room. */
  putAway(): void {
    if (this.#putting || this.#used().size === 0) return;
    const abort = new AbortController();
    const done = this.#putAway(abort.signal)
      .catch(error => {
        if (!abort.signal.aborted) this.#world.say(`swap files: ${reasonOf(error)}`);
      })
      .finally(() => {
        this.#putting = undefined;
      });
    this.#putting = { abort, done };
  }

  /** Nothing is taken away until `putAway`; what comes back just now is left where it is. */
  async hold(): Promise<void> {
    this.#putting?.abort.abort();
    await this.#putting?.done;
  }

  async #putAway(signal: AbortSignal): Promise<void> {
    for (let waitMs = this.#world.soonMs; ; waitMs = Math.min(waitMs * 2, lateMs)) {
      for (const [name, usedBytes] of this.#used())
        if (!signal.aborted) await this.#tryOne(name, usedBytes, signal);
      if (this.#used().size === 0) return;
      await sleep(waitMs, undefined, { signal, ref: false });
    }
  }

  async #tryOne(name: string, usedBytes: number, signal: AbortSignal): Promise<void> {
    const { memory, run, say } = this.#world;
    const { total, available, swapCached } = memory();
    // What is in memory already keeps its place in the swap until that is half full, and needs no room any more.
    const missing = Math.max(0, usedBytes - swapCached);
    if (available - missing < total * spareShare) return; // later
    const path = join(swapFolder, name);
    const began = performance.now();
    try {
      await run(['swapoff', path], signal);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      say(`${(usedBytes / 1e6).toFixed(0)} MB came back from the swap in ${seconds} s; ${name} is no more`);
      await run(['rm', '-f', path]);
    } catch (error) {
      if (!signal.aborted) say(`${name} stays for now: ${reasonOf(error)}`);
    }
  }

  /** Those the kernel swaps to, with the bytes in them. */
  #used(): Map<string, number> {
    const ours = parseSwaps(this.#world.swaps()).filter(
      ({ path }) => dirname(path) === swapFolder && swapName.test(basename(path)),
    );
    return new Map(ours.map(({ path, usedBytes }) => [basename(path), usedBytes]));
  }
}
