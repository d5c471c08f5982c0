// What of the disks is in use, and whether that is behind the stub that goes with the OS: swap and mounted file systems.
// Parsers are pure. The mounts are those of the OS: the agent's own root shows only its own.
import { containerStub, liesOn, movingStub } from '#linux/stubs.ts';
import { REAL_ROOT, readText } from '#linux/sysfs.ts';

/** memory: zram; stub: behind a stub; disk: anywhere else. */
export type SwapKind = 'memory' | 'stub' | 'disk';

export interface Swap {
  readonly path: string;
  readonly kind: SwapKind;
  readonly usedBytes: number;
}

export interface Mount {
  /** "/dev/sda2" */
  readonly device: string;
  readonly path: string;
}

/** Names of the stubs below /dev/mapper. */
const stubName = /^yado-/;
/** Block devices whose bytes lie in memory, or in files that are looked at by themselves. */
const noDisk = /^\/dev\/(loop|zram|ram|pmem|fuse|nbd)/;

/** Spaces and backslashes in paths are written as octal numbers (fs/proc_namespace.c, mm/swapfile.c). */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

interface SwapRow {
  readonly path: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
}

/** /proc/swaps as rows. */
export function parseSwaps(text: string): SwapRow[] {
  const bytes = (kibibytes: string | undefined): number => (Number(kibibytes) || 0) * 1024;
  return text
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
    .flatMap(([path, type, size, used]) =>
      path && type ? [{ path: unescaped(path), type, sizeBytes: bytes(size), usedBytes: bytes(used) }] : [],
    );
}

/** /proc/PID/mounts as rows. */
export function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .map(line => line.split(' '))
    .flatMap(([device, path]) =>
      device && path ? [{ device: unescaped(device), path: unescaped(path) }] : [],
    );
}

/** Behind the stub that moves, also through what is encrypted or in volumes above it. The other one stays with its disk. */
function isStub(root: string, device: string): boolean {
  const moving = movingStub(root);
  return liesOn(device, name => name === moving || (name !== containerStub && stubName.test(name)), root);
}

/** What is swapped to. A file counts for the disk that its file system is on. */
export function readSwaps(root = REAL_ROOT): Swap[] {
  return swapAreas(root).map(({ path, kind, usedBytes }) => ({ path, kind, usedBytes }));
}

function swapAreas(root: string): (SwapRow & Swap)[] {
  const mounts = readMounts(root);
  return parseSwaps(readText(root, 'proc/swaps') ?? '').map(row => {
    const device = row.type === 'file' ? deviceOf(row.path, mounts) : row.path;
    const kind = /^\/dev\/zram/.test(device) ? 'memory' : isStub(root, device) ? 'stub' : 'disk';
    return { ...row, kind };
  });
}

/**
 * Bytes that can still be swapped out to what goes with the OS. None when there is swap in memory: the kernel would
 * fill that first, and nothing would be gained.
 */
export function freeSwapBytes(root = REAL_ROOT): number {
  const areas = swapAreas(root);
  if (areas.some(each => each.kind === 'memory')) return 0;
  return areas
    .filter(each => each.kind === 'stub')
    .reduce((sum, each) => sum + Math.max(0, each.sizeBytes - each.usedBytes), 0);
}

/** True when a folder of the OS lies behind the stub of its disk. */
export function isBehindStub(folder: string, root = REAL_ROOT): boolean {
  return isStub(root, deviceOf(`${folder}/`, readMounts(root)));
}

/** File systems on disks that are not behind a stub, each with the shortest path it is mounted at; the root left out. */
export function readOtherMounts(root = REAL_ROOT): Mount[] {
  const found = new Map<string, string>();
  for (const { device, path } of readMounts(root)) {
    if (!device.startsWith('/dev/') || noDisk.test(device) || path === '/' || isStub(root, device)) continue;
    const before = found.get(device);
    if (before === undefined || path.length < before.length) found.set(device, path);
  }
  return [...found].map(([device, path]) => ({ device, path }));
}

function readMounts(root: string): Mount[] {
  return parseMounts(readText(root, 'proc/1/mounts') ?? '');
}

/** The device of the file system that a path lies on. */
function deviceOf(path: string, mounts: readonly Mount[]): string {
  const above = mounts.filter(each => path.startsWith(each.path === '/' ? '/' : `${each.path}/`));
  return above.toSorted((a, b) => a.path.length - b.path.length).at(-1)?.device ?? '';
}
