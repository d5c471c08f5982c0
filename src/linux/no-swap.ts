// An old kernel must not swap any more once its OS has left: what it would swap to is the disk of the OS, at a place that the OS uses
// since, and lies behind a stub that stands still for ever. Whoever then waits for memory would wait for ever, too.
import { listNames, OS_ROOT, REAL_ROOT, writeText } from '#linux/sysfs.ts';

const groups = 'sys/fs/cgroup';

/** From when this returns no memory of a program is swapped out. `osRoot`: the folder that the control groups are mounted in. */
export function forbidSwap(root = REAL_ROOT, osRoot = OS_ROOT): void {
  orNot(() => writeText('0', root, 'proc/sys/vm/swappiness'));
  // What holds for a group holds for all in it, and systemd leaves no program outside.
  for (const name of listNames(osRoot, groups))
    orNot(() => writeText('0', osRoot, groups, name, 'memory.swap.max'));
}

/** Files that are no group have no such limit. */
function orNot(write: () => void): void {
  try {
    write();
  } catch {
    // As before.
  }
}
