// How many requests have changed a block device since it was made: what was under way counts when it has ended.
import { REAL_ROOT, readNumber, readText } from '#linux/sysfs.ts';

/** Undefined when the kernel does not count them (queue/iostats is off), or there is no such device. `name`: "nbd0". */
export function countWrites(name: string, root = REAL_ROOT): number | undefined {
  const at = ['sys/class/block', name] as const;
  if (readNumber(root, ...at, 'queue/iostats') !== 1) return undefined;
  const fields = (readText(root, ...at, 'stat') ?? '').trim().split(/\s+/).map(Number);
  // Documentation/block/stat.rst: the 5th is writes, the 12th discards.
  const [writes, discards] = [fields[4], fields[11] ?? 0];
  return writes === undefined || !Number.isSafeInteger(writes + discards) ? undefined : writes + discards;
}
