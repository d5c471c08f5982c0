// Single page frames of this computer's memory, by number: giving one up for good, and whether it is. The kernel moves what
// is in the frame elsewhere and never uses it again until it is started anew: Documentation/mm/hwpoison.rst (soft offline),
// Documentation/ABI/testing/sysfs-memory-page-offline. Flags: include/uapi/linux/kernel-page-flags.h.
import { existsSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PAGE_BYTES } from '#linux/memory-map.ts';
import { REAL_ROOT } from '#linux/sysfs.ts';

const OFFLINE_FILE = 'sys/devices/system/memory/soft_offline_page';
const KPF_HWPOISON = 1n << 19n;

/** Whether this kernel can (CONFIG_MEMORY_FAILURE). */
export const canGiveUpFrames = (root = REAL_ROOT): boolean => existsSync(join(root, OFFLINE_FILE));

/** True when the kernel never uses this frame again. @throws Error of the file system */
export async function isGivenUp(pfn: number, root = REAL_ROOT): Promise<boolean> {
  await using file = await open(join(root, 'proc/kpageflags'), 'r');
  const flags = Buffer.alloc(8);
  await file.read(flags, 0, 8, pfn * 8);
  return (flags.readBigUInt64LE() & KPF_HWPOISON) !== 0n;
}

/** @throws Error of the file system: EBUSY when what is in the frame cannot be moved just now, EIO when never */
export async function giveUpFrame(pfn: number, root = REAL_ROOT): Promise<void> {
  await writeFile(join(root, OFFLINE_FILE), `0x${(BigInt(pfn) * BigInt(PAGE_BYTES)).toString(16)}`);
}
