// What of the disks is in use, and whether that is behind the stub that goes with the OS: swap and mounted file systems.
// Parsers are pure. The mounts are those of the OS: the agent's own root shows only its own.
import { basename } from 'node:path';
import { linkName, listNames, REAL_ROOT, readText } from '#linux/sysfs.ts';

/** memory: zram; stub: behind a stub; disk: anywhere else. */
export type SwapKind = 'memory' | 'stub' | 'disk';

export interface Swap {
  readonly path: string;
  readonly kind: SwapKind;
  readonly usedBytes: number;
  /** A disk, partition or volume by itself, not a file in a file system. */
  readonly isDevice: boolean;
  /** The area of the highest is filled first; the kernel gives negative ones by itself. */
  readonly priority: number;
}

export interface Mount {
  /** "/dev/sda2" */
  readonly device: string;
  readonly path: string;
}

/** Names of the stubs (dm). */
const stubName = /^yado-/;
/** Block devices whose bytes lie in memory, or in files that are looked at by themselves. */
const noDisk = /^\/dev\/(loop|zram|ram|pmem|fuse|nbd)/;

/** Spaces and backslashes in paths are written as octal numbers (fs/proc_namespace.c, mm/swapfile.c). */
export const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

interface SwapRow {
  readonly path: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly priority: number;
}

/** /proc/swaps as rows. */
export function parseSwaps(text: string): SwapRow[] {
  const bytes = (kibibytes: string | undefined): number => (Number(kibibytes) || 0) * 1024;
  return text
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
    .flatMap(([path, type, size, used, priority]) =>
      path && type
        ? [
            {
              path: unescaped(path),
              type,
              sizeBytes: bytes(size),
              usedBytes: bytes(used),
              priority: Number(priority) || 0,
            },
          ]
        : [],
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

/** The name of the device-mapper device behind a path such as "/dev/dm-0" or "/dev/mapper/home"; undefined for others. */
function mapperName(root: string, device: string): string | undefined {
  if (device.startsWith('/dev/mapper/')) return basename(device);
  const name = /^\/dev\/(dm-\d+)$/.exec(device)?.[1] ?? linkName(root, device.slice(1));
  return name === undefined ? undefined : nameOfMapped(root, name);
}

/** Its bytes lie on a disk, and are not looked at elsewhere. */
export const isOnDisk = (device: string): boolean => device.startsWith('/dev/') && !noDisk.test(device);

/** True for a stub, and for what lies on nothing else: an encrypted disk, volumes in it. */
export function isStub(root: string, device: string): boolean {
  if (stubName.test(mapperName(root, device) ?? '')) return true;
  const name = mappedAs(root, device);
  return name !== undefined && isOverStub(root, name);
}

/** The kernel's name of a device of device-mapper: "dm-3" of "/dev/mapper/home". */
function mappedAs(root: string, device: string): string | undefined {
  const mapped = mapperName(root, device) ?? '';
  return listNames(root, 'sys/class/block').find(
    each => mapped !== '' && nameOfMapped(root, each) === mapped,
  );
}

function isOverStub(root: string, name: string): boolean {
  const slaves = listNames(root, 'sys/class/block', name, 'slaves');
  return (
    stubName.test(nameOfMapped(root, name) ?? '') ||
    (slaves.length > 0 && slaves.every(each => isOverStub(root, each)))
  );
}

const nameOfMapped = (root: string, name: string): string | undefined =>
  readText(root, 'sys/class/block', name, 'dm/name')?.trim();

/** What is swapped to. A file counts for the disk that its file system is on. */
export function readSwaps(root = REAL_ROOT): Swap[] {
  return swapAreas(root).map(({ path, kind, usedBytes, isDevice, priority }) => ({
    path,
    kind,
    usedBytes,
    isDevice,
    priority,
  }));
}

function swapAreas(root: string): (SwapRow & Swap)[] {
  const mounts = readMounts(root);
  return parseSwaps(readText(root, 'proc/swaps') ?? '').map(row => {
    const device = row.type === 'file' ? deviceOf(row.path, mounts) : row.path;
    const kind = /^\/dev\/zram/.test(device) ? 'memory' : isStub(root, device) ? 'stub' : 'disk';
    return { ...row, kind, isDevice: row.type !== 'file' };
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

/** The device that the root file system is mounted from: "/dev/mapper/crab_crypt"; empty when that is not known. */
export const rootDevice = (root = REAL_ROOT): string => deviceOf('/', readMounts(root));

/** Of a root file system that lies on several devices (btrfs) the others: "sdb1". None for any other. */
export function devicesBesideRoot(root = REAL_ROOT): string[] {
  const device = rootDevice(root);
  const name = mappedAs(root, device) ?? linkName(root, device.slice(1)) ?? basename(device);
  const devicesOf = (fileSystem: string): string[] => listNames(root, 'sys/fs/btrfs', fileSystem, 'devices');
  const mine = listNames(root, 'sys/fs/btrfs')
    .map(devicesOf)
    .find(each => each.includes(name));
  return (mine ?? []).filter(each => each !== name);
}

/** File systems on disks that are not behind a stub, each with the shortest path it is mounted at; the root left out. */
export function readOtherMounts(root = REAL_ROOT): Mount[] {
  const found = new Map<string, string>();
  for (const { device, path } of readMounts(root)) {
    if (!isOnDisk(device) || path === '/' || isStub(root, device)) continue;
    const before = found.get(device);
    if (before === undefined || path.length < before.length) found.set(device, path);
  }
  return [...found].map(([device, path]) => ({ device, path }));
}

/** Where file systems of ZFS are mounted: their disks have no place in the table of mounts. */
export function readZfsMounts(root = REAL_ROOT): string[] {
  return (readText(root, 'proc/1/mounts') ?? '')
    .split('\n')
    .map(line => line.split(' '))
    .flatMap(([, path, kind]) => (kind === 'zfs' && path ? [unescaped(path)] : []));
}

function readMounts(root: string): Mount[] {
  return parseMounts(readText(root, 'proc/1/mounts') ?? '');
}

/** The device of the file system that a path lies on. */
function deviceOf(path: string, mounts: readonly Mount[]): string {
  const above = mounts.filter(each => path.startsWith(each.path === '/' ? '/' : `${each.path}/`));
  return above.toSorted((a, b) => a.path.length - b.path.length).at(-1)?.device ?? '';
}
