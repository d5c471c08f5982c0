// Swap on disks that stay at a computer: switched off before the OS leaves, for what is swapped out there would be lost, and on
// again when the OS is back there, or has not left after all. What is in it comes back into memory, or goes to a swap file that
// moves with the OS where memory is short. Kept for an agent that is started anew.
import * as v from 'valibot';
import { BlockPlaceSchema } from '#core/disk-wish.ts';
import { YadoError, yadoError } from '#core/errors.ts';
import type { SwapThatStays } from '#core/os-state.ts';
import { areaAt } from '#devices/disk/left-area.ts';
import { type BlockDevice, type BlockPlace, nodePath } from '#linux/block.ts';
import { parseSwaps } from '#linux/storage-in-use.ts';
import { LeftList } from './left-list.ts';
import { reasonOf, type SwapTools, spareShare, swapTools } from './os-tools.ts';

export const LeftSwapSchema = v.strictObject({
  computer: v.string(),
  path: v.string(),
  place: BlockPlaceSchema,
  priority: v.exactOptional(v.number()),
});
export type LeftSwap = v.InferOutput<typeof LeftSwapSchema>;

/** The disk is being found just then. */
const findMs = 30_000;
/** A disk that does not answer holds up neither the next area nor the next move for ever. */
const switchMs = 60_000;
/** What goes to such a file: the kernel takes slots in clusters, and never finds the last of them. */
const fileShare = 1.15;

/** What is done through others, so that a test can stand in. */
export interface LeftSwapsWorld extends SwapTools {
  readonly find: (place: BlockPlace, signal: AbortSignal) => Promise<BlockDevice>;
}

const realWorld: LeftSwapsWorld = { ...swapTools, find: areaAt };

export class LeftSwaps {
  readonly #world: LeftSwapsWorld;
  readonly #left: LeftList<LeftSwap>;

  /** @param changed what is `saved` has changed */
  constructor(saved: readonly LeftSwap[], changed: () => void, world: Partial<LeftSwapsWorld> = {}) {
    this.#left = new LeftList(saved, changed);
    this.#world = { ...realWorld, ...world };
  }

  get saved(): LeftSwap[] {
    return this.#left.saved;
  }

  /** Those being switched on just now are on when this returns: the checks of a move look at them. */
  settled(signal?: AbortSignal): Promise<void> {
    return this.#left.settled(signal);
  }

  /**
   * Switches them off, one after the other; what fails in the middle is for `on` to undo. `makeFile`: a swap file that goes with
   * the OS, of so many bytes.
   * @throws YadoError `swapStays`, or of `makeFile`; the reason of the signal
   */
  async off(
    areas: readonly SwapThatStays[],
    computer: string,
    signal: AbortSignal,
    makeFile: (bytes: number) => Promise<void>,
  ): Promise<void> {
    for (const { path, place, priority, usedBytes } of areas) {
      signal.throwIfAborted();
      // First: an agent that dies now knows of it.
      this.#left.keep({ computer, path, place, ...(priority !== undefined && { priority }) });
      try {
        const { total, available } = this.#world.memory();
        if (available - usedBytes < total * spareShare) await makeFile(Math.ceil(usedBytes * fileShare));
        await this.#world.run(['swapoff', path], signal);
        this.#world.say(`${path} stays at ${computer}: it is not swapped to until the OS is back`);
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof YadoError
          ? error
          : yadoError('swapStays', { computer, path, reason: reasonOf(error) }, error);
      }
    }
  }

  /** Those of this computer are swapped to again, in the background. */
  on(computer: string): void {
    this.#left.takeUp(computer, area => this.#switchOn(area));
  }

  async #switchOn({ path, place, priority, computer }: LeftSwap): Promise<void> {
    const { find, run, say, swaps } = this.#world;
    try {
      const node = nodePath((await find(place, AbortSignal.timeout(findMs))).name);
      if (parseSwaps(swaps()).some(each => each.path === node)) return; // by systemd, or never switched off
      const words = ['swapon', ...(priority === undefined ? [] : ['-p', String(priority)]), node];
      await run(words, AbortSignal.timeout(switchMs));
      say(`${node} is swapped to again`);
    } catch (error) {
      say(`what was ${path} is not swapped to at ${computer} again: ${reasonOf(error)}; swapon -a does it`);
    }
  }
}
