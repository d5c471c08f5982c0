// Stopping programs through the cgroup (version 2) they are in: they neither see it nor need a signal, and whoever waits
// for one of them notices nothing. The kernel keeps a group frozen over a move.
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The hierarchy as the OS's first process sees it: also from within a root of our own. */
export const CGROUP_ROOT = '/proc/1/root/sys/fs/cgroup';

/** Processes that have the device node `path` ("/dev/usb/lp0") open. */
export function holdersOf(path: string, proc = '/proc'): number[] {
  // Seen from another root the kernel shortens the path: its end says enough.
  const end = path.replace(/^\/dev/, '');
  return readdirSync(proc)
    .filter(name => /^\d+$/.test(name))
    .filter(pid => openFilesOf(join(proc, pid, 'fd')).some(file => file.endsWith(end)))
    .map(Number);
}

function openFilesOf(folder: string): string[] {
  return gone(() => readdirSync(folder), []).map(fd => gone(() => readlinkSync(join(folder, fd)), ''));
}

/** Processes end and files are closed while one looks at them. */
function gone<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** Path of the process's group below the hierarchy ("/user.slice/…"); undefined when it ended or is in the root. */
export function cgroupOf(pid: number, proc = '/proc'): string | undefined {
  try {
    const path = /^0::(.*)$/m.exec(readFileSync(join(proc, String(pid), 'cgroup'), 'utf8'))?.[1];
    return path === '/' ? undefined : path;
  } catch {
    return undefined;
  }
}

/** Returns when nothing in the group runs any more, or throws after `timeoutMs`; the group is then thawed. */
export async function freezeCgroup(path: string, timeoutMs: number, root = CGROUP_ROOT): Promise<void> {
  const group = join(root, path);
  writeFileSync(join(group, 'cgroup.freeze'), '1');
  for (const end = performance.now() + timeoutMs; ; await sleep(2)) {
    if (/^frozen 1$/m.test(readFileSync(join(group, 'cgroup.events'), 'utf8'))) return;
    if (performance.now() < end) continue;
    thawCgroup(path, root);
    throw new Error(`the programs in ${path} could not be held back`);
  }
}

/** A group that is gone needs no thaw. */
export function thawCgroup(path: string, root = CGROUP_ROOT): void {
  const file = join(root, path, 'cgroup.freeze');
  if (existsSync(file)) writeFileSync(file, '0');
}
