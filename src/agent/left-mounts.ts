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
import { isMountPoint, type MountedDisk, mountedAt } from '#linux/mount-info.ts';
import { LeftList } from './left-list.ts';
import { log } from './log.ts';
import { reasonOf, runTool } from './os-tools.ts';

export const LeftMountSchema = v.strictObject({
  computer: v.string(),
  path: v.string(),
  place: BlockPlaceSchema,
  type: v.string(),
  options: v.string(),
  /** The empty folder may have been told to take no files. */
  isClosed: v.exactOptional(v.literal(true)),
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
  /** True when anything is mounted there, also what mounts when it is looked at. */
  readonly isMountPoint: (path: string) => boolean;
  readonly find: (place: BlockPlace, signal: AbortSignal) => Promise<BlockDevice>;
  readonly pause: (ms: number) => Promise<void>;
  readonly say: (line: string) => void;
}

const realWorld: LeftMountsWorld = {
  run: runTool,
  mountedAt,
  isMountPoint,
  find: areaAt,
  pause: sleep,
  say: log,
};

/** x-systemd.automount of fstab(5): it mounts when somebody looks, and nothing of it is a disk's. */
const isAutomount = (mounted: MountedDisk | undefined): boolean => mounted?.type === 'autofs';

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
      if (!mounted || isAutomount(mounted)) continue;
      const left = { computer, path, place, type: mounted.type, options: mounted.options };
      // First: an agent that dies now knows of it.
      this.#left.keep(left);
      if (isForBooting(each) && (await this.#unmount(left, signal))) await this.#close(left, signal);
    }
  }

  async #unmount({ path, computer }: LeftMount, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#world.run(['umount', path], signal);
      this.#world.say(`${path} stays at ${computer}: it is mounted again when the OS is back`);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      this.#world.say(`${path} stays at ${computer} and could not be unmounted: ${reasonOf(error)}`);
      return false;
    }
  }

  /** Nothing may be mounted there: it would be that file system's own folder, or mounted for this look at it. */
  async #close(left: LeftMount, signal: AbortSignal): Promise<void> {
    const { path, computer } = left;
    if (this.#world.isMountPoint(path)) return;
    this.#left.keep({ ...left, isClosed: true });
    await this.#world.run(['chattr', '+i', path], signal).catch(error => {
      signal.throwIfAborted();
      this.#world.say(
        `what is written to ${path} meanwhile will be hidden at ${computer}: ${reasonOf(error)}`,
      );
    });
  }

  /** Before all else: also when the disk does not come, or is mounted by somebody else a moment later, the folder takes files again. */
  async #open({ path, isClosed }: LeftMount): Promise<void> {
    if (!isClosed) return;
    const { isMountPoint: isMounted, run, say } = this.#world;
    if (isMounted(path))
      say(`the folder that ${path} is mounted over takes no files; when it is unmounted: chattr -i ${path}`);
    else await run(['chattr', '-i', path], AbortSignal.timeout(mountMs)).catch(() => {}); // it never took +i either
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
    const { find, run, pause, say } = this.#world;
    await this.#open(left);
    try {
      const node = nodePath((await find(place, AbortSignal.timeout(findMs))).name);
      await run(['udevadm', 'settle', '--timeout=10']).catch(() => {});
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

  /** False when it is mounted, or will be when somebody looks: somebody was quicker, or it has never been away. */
  async #mountOnce({ path, type, options }: LeftMount, node: string): Promise<boolean> {
    const { run, mountedAt: at } = this.#world;
    const mounted = at(path);
    if (mounted?.isThere || isAutomount(mounted)) return false;
    if (mounted) await run(['umount', '-l', path], AbortSignal.timeout(mountMs));
    if (isAutomount(at(path))) return false; // it was below
    await run(['mount', '-t', type, '-o', options, node, path], AbortSignal.timeout(mountMs));
    return true;
  }
}
