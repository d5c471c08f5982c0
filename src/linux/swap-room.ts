// What of the OS's memory could be swapped out, and where to. Reads only. The agent's own root shows neither the OS's files
// nor its cgroups: both are seen through its first process.
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeSwapBytes, isBehindStub } from '#linux/storage-in-use.ts';
import { OS_ROOT, openErrorForWriting, REAL_ROOT, readText } from '#linux/sysfs.ts';

/** Written to, the kernel reclaims so many bytes from all programs (cgroup v2, Linux 5.19). */
export const reclaimPath = `${OS_ROOT}/sys/fs/cgroup/memory.reclaim`;

/** Bytes; the causes complete "it cannot be swapped out: …" and are null when there is none. */
export interface SwapRoom {
  readonly freeBytes: number;
  readonly fileBytes: number;
  readonly noFile: string | null;
  readonly swappableBytes: number;
  readonly obstacle: string | null;
}

/** By the magic number of statfs(2) (linux/magic.h): file systems whose files can be swapped to as they are allocated. */
const swapFileSystems: Readonly<Record<number, string>> = { 61267: 'ext4', 1481003842: 'xfs' };
/** Left free on the disk of the OS. */
const spareShare = 0.05;
const spareBytes = 64 * 2 ** 20;

/** A disk that is on another computer may be away just then. */
const diskMs = 2000;

interface FileSystem {
  readonly type: number;
  readonly freeBytes: number;
}
/** Rejects when the folder is not there, or cannot be looked at now. */
type LookAtFileSystem = (path: string) => Promise<FileSystem>;

const look: LookAtFileSystem = async path => {
  const late = sleep(diskMs, undefined, { ref: false }).then(() => {
    throw new Error(`${path} does not answer`);
  });
  const { type, bavail, bsize } = await Promise.race([statfs(path), late]);
  return { type, freeBytes: bavail * bsize };
};

/** `folder`: where in the OS a swap file could be. */
export async function readSwapRoom(folder: string, root = REAL_ROOT, lookAt = look): Promise<SwapRoom> {
  return {
    freeBytes: freeSwapBytes(root),
    ...(await fileRoom(folder, root, lookAt)),
    swappableBytes: readSwappable(root),
    obstacle: obstacleTo(root),
  };
}

async function fileRoom(
  folder: string,
  root: string,
  lookAt: LookAtFileSystem,
): Promise<Pick<SwapRoom, 'fileBytes' | 'noFile'>> {
  if (!isBehindStub(folder, root))
    return { fileBytes: 0, noFile: `${folder} is not on the disk that goes with the OS` };
  try {
    const { type, freeBytes } = await lookAt(join(root, OS_ROOT, folder));
    if (swapFileSystems[type] === undefined)
      return { fileBytes: 0, noFile: `a swap file wants ext4 or xfs, which ${folder} is not on` };
    const fileBytes = Math.floor(Math.max(0, freeBytes * (1 - spareShare) - spareBytes));
    return { fileBytes, noFile: null };
  } catch {
    return { fileBytes: 0, noFile: `${folder} cannot be looked at` };
  }
}

/** Memory of programs and of file systems in memory, that of this agent left out: it is never swapped. */
function readSwappable(root: string): number {
  const bytes = (text: string | undefined, name: string): number => {
    const line = text?.split('\n').find(each => each.startsWith(`${name}:`));
    return (Number(/(\d+) kB/.exec(line ?? '')?.[1]) || 0) * 1024;
  };
  const all = readText(root, 'proc/meminfo');
  const own = bytes(readText(root, 'proc/self/status'), 'RssAnon');
  return Math.max(0, bytes(all, 'Active(anon)') + bytes(all, 'Inactive(anon)') - own);
}

function obstacleTo(root: string): string | null {
  // In a file system in memory it would be swapped out with the rest, and it brings the disk that the swap is on.
  if (readText(root, 'run/yado/memory')?.trim() !== 'pmem')
    return 'the agent has no memory of its own (memmap=), and must not be swapped out with the rest';
  return openErrorForWriting(join(root, reclaimPath)) === undefined
    ? null
    : 'the kernel cannot be asked to (no memory.reclaim in its cgroups: wants cgroup v2 and Linux 5.19)';
}
