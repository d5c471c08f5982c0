// Whether the image of an OS fits into its own memory, and what must go to the swap first when it does not. The kernel makes
// the image in memory: what is in use must be in there twice. Pure.
import type { Capabilities } from './capabilities.ts';
import { type OsState, type SwapInUse, swapsThatStay } from './os-state.ts';
import { formatBytes } from './quantities.ts';

/** Where swap files for a move are made, on the disk of the OS. */
export const swapFolder = '/var/lib/yadokari';
/** Completes "could not …": the step of the plan that swaps out while all programs stand still. */
export const swapOutLabel = 'swap out what the image has no room for';

const MiB = 2 ** 20;

/** Half of RAM is the kernel's limit (kernel/power/snapshot.c, hibernate_preallocate_memory); the rest is its reserve. */
export const imageShare = 0.48;
/** With a swap at hand less is left in memory: some is taken back until the OS stands still. */
const easyShare = 0.45;
/** The ghost starts beside the OS and its image, and nothing can be reclaimed for it by then. */
const ghostBytes = 160 * MiB;
/** Pages of files that run: they are in the image too, and are no part of what is counted as used; some of them may stay. */
const fileBytes = 96 * MiB;
/** Not all that could be swapped out can be at once: some is in use just then. */
const swappableShare = 0.9;
/** The kernel takes slots of a swap area in clusters, and never finds the last of them. */
const areaShare = 1.15;

/** What may be in use at the freeze, caches included, so that the image is made without reclaiming anything, bytes. */
export function mostInUse(totalBytes: number): number {
  return Math.floor(Math.max(0, Math.min(totalBytes * easyShare, (totalBytes - ghostBytes) / 2)));
}

/** How the image of an OS finds room. */
export type ImageRoom =
  | { readonly kind: 'fits' }
  | {
      readonly kind: 'swap';
      /** So much goes to the swap before the freeze, about; 0: only what comes back from it until then. */
      readonly swapBytes: number;
      /** Of a swap file that is made for it; 0: there is swap enough. */
      readonly fileBytes: number;
      /** At most so much may be in use at the freeze. */
      readonly mostBytes: number;
    }
  | {
      readonly kind: 'tooMuch';
      /** Completes "… and the rest cannot be swapped out: …". */
      readonly reason: string;
      /** What to type. */
      readonly hint: string;
    };

const bytesIn = (swaps: readonly SwapInUse[]): number => swaps.reduce((sum, each) => sum + each.usedBytes, 0);

type Source = Pick<Capabilities, 'name' | 'memory' | 'os'>;

/** For the source of a move. Without `os` nothing is known of its swap. */
export function imageRoom({ name, memory, os }: Source): ImageRoom {
  const { totalBytes } = memory;
  const comesIn = bytesIn(swapsThatStay(os?.swaps ?? [])); // they are switched off first
  const usedBytes = memory.usedBytes + comesIn;
  const mostBytes = mostInUse(totalBytes);
  const mayComeBack = bytesIn((os?.swaps ?? []).filter(each => each.kind === 'stub'));
  if (usedBytes + mayComeBack <= mostBytes) return { kind: 'fits' };
  const swapBytes = Math.max(0, Math.ceil(usedBytes - mostBytes + fileBytes));
  const swapping = os && { ...os.swapping, swappableBytes: os.swapping.swappableBytes + comesIn };
  const way = swapping && swapWay(name, swapping, usedBytes - mostBytes, swapBytes);
  if (way && 'fileBytes' in way) return { kind: 'swap', swapBytes, mostBytes, ...way };
  if (usedBytes <= totalBytes * imageShare) return { kind: 'fits' }; // it did so far
  return { kind: 'tooMuch', ...(way ?? { reason: 'nothing is known of its swap', hint: endPrograms(name) }) };
}

const endPrograms = (name: string): string => `end programs on ${name}`;

function swapWay(
  name: string,
  { obstacle, noFile, swappableBytes, freeBytes, fileBytes }: OsState['swapping'],
  leastBytes: number,
  swapBytes: number,
): { readonly fileBytes: number } | { readonly reason: string; readonly hint: string } {
  const hint = endPrograms(name);
  if (obstacle !== null) return { reason: obstacle, hint };
  const swappable = swappableBytes * swappableShare;
  if (swappable < leastBytes)
    return {
      reason: `${formatBytes(leastBytes)} would have to go, but only ${formatBytes(swappable)} are memory of programs`,
      hint,
    };
  const areaBytes = Math.ceil((swapBytes * areaShare) / MiB) * MiB;
  if (freeBytes >= areaBytes) return { fileBytes: 0 };
  if (fileBytes >= areaBytes) return { fileBytes: areaBytes };
  return {
    reason: noFile ?? `a swap file of ${formatBytes(areaBytes)} has no room on the disk of the OS`,
    hint: `make room on the disk of the OS, or: swapon a file or partition of ${formatBytes(areaBytes)} on that disk`,
  };
}

/** Bytes in use once what must go has gone to the swap: about the size of the image. */
export function imageBytesOf(source: Source): number {
  const room = imageRoom(source);
  if (room.kind === 'swap') return room.mostBytes;
  return source.memory.usedBytes + bytesIn(swapsThatStay(source.os?.swaps ?? []));
}
