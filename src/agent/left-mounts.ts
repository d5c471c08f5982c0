// File systems on disks that stay at a computer. A mount whose disk goes away gives errors for ever, also at home. What is for
// starting the computer (/boot, /boot/efi) is unmounted before the OS leaves: the next update of the kernel or of GRUB would be
// lost, and the computer might not start any more. The empty folder that is left takes no files meanwhile: an update of the kernel
// there fails before anything is changed, instead of going where no boot loader looks. Others stay mounted: programs rather get errors than find an empty folder.
// All are mounted anew when the OS is back, or has not left after all. Kept for an agent that is started anew.
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { BlockPlaceSchema } from '#core/disk-wish.ts';
import { isForBooting, type MountThatStays } from '#core/os-state.ts';
import { areaAt } from '#devices/disk/left-area.ts';
import { type BlockDevice, type BlockPlace, nodePath } from '#linux/block.ts';
import { type MountedDisk, mountedAt } from '#linux/mount-info.ts';
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
/** A disk that does not answer holds up neither the next of them nor the next move for ever. */
const mountMs = 60_000;
/** systemd hears late that the disk was gone, and then unmounts what is in fstab: even what was mounted anew meanwhile. */
const looks = 3;
const betweenLooksMs = 4000;

/** What is done through others, so that a test can stand in. */
export interface LeftMountsWorld {
  /** Runs a tool of the OS until its end, also when the signal ends it early. @throws Error with what it said */
  readonly run: (words: readonly string[], signal?: AbortSignal) => Promise<void>;
  readonly mountedAt: (path: string) => MountedDisk | undefined;
  readonly find: (place: BlockPlace, signal: AbortSignal) => Promise<BlockDevice>;
  readonly pause: (ms: number) => Promise<void>;
  readonly say: (line: string) => void;
}

const realWorld: LeftMountsWorld = { run: runTool, mountedAt, find: areaAt, pause: sleep, say: log };

const depth = ({ path }: { readonly path: string }): number => path.length;

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
  settled(signal?: AbortSignal): Promise<void> {
    return this.#left.settled(signal);
  }

  /**
   * Unmounts what is for starting, what lies within others first, and remembers all. What cannot be unmounted is told: a move needs
   * none of them.
   * @throws the reason of the signal
   */
  async off(mounts: readonly MountThatStays[], computer: string, signal: AbortSignal): Promise<void> {
    for (const each of mounts.toSorted((a, b) => depth(b) - depth(a))) {
      signal.throwIfAborted();
      const { path, place } = each;
      const mounted = this.#world.mountedAt(path);
      if (!mounted) continue;
      // First: an agent that dies now knows of it.
      this.#left.keep({ computer, path, place, type: mounted.type, options: mounted.options });
      if (isForBooting(each)) await this.#unmount(path, computer, signal);
    }
  }

  async #unmount(path: string, computer: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#world.run(['umount', path], signal);
      this.#world.say(`${path} stays at ${computer}: it is mounted again when the OS is back`);
      await this.#world.run(['chattr', '+i', path], signal).catch(error => {
        signal.throwIfAborted();
        this.#world.say(
          `what is written to ${path} meanwhile will be hidden at ${computer}: ${reasonOf(error)}`,
        );
      });
    } catch (error) {
      signal.throwIfAborted();
      this.#world.say(`${path} stays at ${computer} and could not be unmounted: ${reasonOf(error)}`);
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

  async #mount(left: LeftMount): Promise<void> {
    const { path, place, computer } = left;
    const { find, run, pause, say, mountedAt: mountedHere } = this.#world;
    try {
      const node = nodePath((await find(place, AbortSignal.timeout(findMs))).name);
      await run(['udevadm', 'settle', '--timeout=10']).catch(() => {});
      if (isForBooting(left) && !mountedHere(path)) await run(['chattr', '-i', path]).catch(() => {});
      for (let look = 1; look <= looks && (await this.#mountOnce(left, node)); look++) {
        say(`${path} is mounted again`);
        await pause(betweenLooksMs);
      }
    } catch (error) {
      say(
        `${path} is not mounted at ${computer} again: ${reasonOf(error)}; umount -l ${path}; mount ${path}`,
      );
    }
  }

  /** False when it is mounted: somebody was quicker, or it has never been away. */
  async #mountOnce({ path, type, options }: LeftMount, node: string): Promise<boolean> {
    const { run, mountedAt: at } = this.#world;
    const mounted = at(path);
    if (mounted?.isThere) return false;
    if (mounted) await run(['umount', '-l', path], AbortSignal.timeout(mountMs));
    await run(['mount', '-t', type, '-o', options, node, path], AbortSignal.timeout(mountMs));
    return true;
  }
}
