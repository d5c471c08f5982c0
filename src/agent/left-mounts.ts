// File systems for starting a computer (/boot, /boot/efi) on disks that stay there: unmounted before the OS leaves, and mounted again
// when it is back, or has not left after all. A mount whose disk goes away gives errors for ever, also at home; the next
// update of the kernel or of GRUB would then be lost, and the computer might not start any more.
import * as v from 'valibot';
import { BlockPlaceSchema } from '#core/disk-wish.ts';
import type { MountThatStays } from '#core/os-state.ts';
import { areaAt } from '#devices/disk/left-area.ts';
import { type BlockDevice, type BlockPlace, nodePath } from '#linux/block.ts';
import { type MountRow, readMounts } from '#linux/storage-in-use.ts';
import { LeftList } from './left-list.ts';
import { log } from './log.ts';
import { reasonOf, runTool } from './os-tools.ts';

export const LeftMountSchema = v.strictObject({
  computer: v.string(),
  path: v.string(),
  place: BlockPlaceSchema,
  type: v.string(),
  options: v.string(),
});
export type LeftMount = v.InferOutput<typeof LeftMountSchema>;

/** The disk is being found just then. */
const findMs = 30_000;

const depth = ({ path }: { readonly path: string }): number => path.length;

/** What is done through others, so that a test can stand in. */
export interface LeftMountsWorld {
  /** Runs a tool of the OS until its end, also when the signal ends it early. @throws Error with what it said */
  readonly run: (words: readonly string[], signal?: AbortSignal) => Promise<void>;
  readonly mounts: () => readonly MountRow[];
  readonly find: (place: BlockPlace, signal: AbortSignal) => Promise<BlockDevice>;
  readonly say: (line: string) => void;
}

const realWorld: LeftMountsWorld = { run: runTool, mounts: readMounts, find: areaAt, say: log };

export class LeftMounts {
  readonly #world: LeftMountsWorld;
  readonly #left: LeftList<LeftMount>;

  /** @param changed what is `saved` has changed */
  constructor(saved: readonly LeftMount[], changed: () => void, world: Partial<LeftMountsWorld> = {}) {
    this.#left = new LeftList(saved, changed);
    this.#world = { ...realWorld, ...world };
  }

  get saved(): LeftMount[] {
    return this.#left.saved;
  }

  /** Those being mounted just now are mounted when this returns. */
  settled(): Promise<void> {
    return this.#left.settled();
  }

  /**
   * Unmounts them, those within others first. One that is in use stays mounted, and that is told: nobody needs it to move.
   * @throws the reason of the signal
   */
  async off(mounts: readonly MountThatStays[], computer: string, signal: AbortSignal): Promise<void> {
    for (const { path, place } of mounts.toSorted((a, b) => depth(b) - depth(a))) {
      signal.throwIfAborted();
      const row = this.#world.mounts().findLast(each => each.path === path);
      if (!row) continue;
      const item = { computer, path, place, type: row.type, options: row.options };
      this.#left.keep(item); // first: an agent that dies now knows of it
      try {
        await this.#world.run(['umount', path], signal);
        this.#world.say(`${path} stays at ${computer}: it is mounted again when the OS is back`);
      } catch (error) {
        signal.throwIfAborted();
        this.#left.forget(item);
        this.#world.say(
          `${path} stays at ${computer} and could not be unmounted: ${reasonOf(error)}; back at ${computer}: umount -l ${path}; mount ${path}`,
        );
      }
    }
  }

  /** Those of this computer are mounted again, in the background, outer ones first. */
  on(computer: string): void {
    this.#left.takeUp(
      computer,
      each => this.#mount(each),
      (a, b) => depth(a) - depth(b),
    );
  }

  async #mount({ path, place, type, options, computer }: LeftMount): Promise<void> {
    const { find, run, say, mounts } = this.#world;
    try {
      const node = nodePath((await find(place, AbortSignal.timeout(findMs))).name);
      if (mounts().some(each => each.path === path && each.device === node)) return; // by systemd, or never unmounted
      await run(['mount', '-t', type, '-o', options, node, path]);
      say(`${path} is mounted again`);
    } catch (error) {
      say(`${path} is not mounted at ${computer} again: ${reasonOf(error)}; mount ${path} does it`);
    }
  }
}
