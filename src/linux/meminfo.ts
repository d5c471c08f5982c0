// /proc/meminfo as bytes. Pure parser.
import { REAL_ROOT, requireText } from '#linux/sysfs.ts';
import { FormatError } from '#linux/system-error.ts';

/** Bytes. `free` is what B can use for an image (not `available`). */
export interface MemoryInfo {
  readonly total: number;
  readonly free: number;
  readonly available: number;
  readonly buffers: number;
  readonly cached: number;
  readonly anonymous: number;
  readonly swapTotal: number;
  readonly swapFree: number;
  /** In memory, though its place in the swap is still taken. */
  readonly swapCached: number;
}

/** @throws FormatError when a field is missing */
export function parseMeminfo(text: string): MemoryInfo {
  const fields = new Map(
    [...text.matchAll(/^([^\s:]+):\s+(\d+) kB$/gm)].map(
      match => [match[1], Number(match[2]) * 1024] as const,
    ),
  );
  const bytes = (name: string) => {
    const value = fields.get(name);
    if (value === undefined) throw new FormatError('/proc/meminfo', `no ${name}`);
    return value;
  };
  return {
    total: bytes('MemTotal'),
    free: bytes('MemFree'),
    available: bytes('MemAvailable'),
    buffers: bytes('Buffers'),
    cached: bytes('Cached'),
    anonymous: bytes('AnonPages'),
    swapTotal: bytes('SwapTotal'),
    swapFree: bytes('SwapFree'),
    swapCached: bytes('SwapCached'),
  };
}

export function readMeminfo(root = REAL_ROOT): MemoryInfo {
  return parseMeminfo(requireText(root, 'proc/meminfo'));
}
