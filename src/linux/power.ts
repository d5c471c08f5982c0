// Settings under /sys/power that matter for /dev/snapshot, and the question whether the device may be used.
// It never opens /dev/snapshot: opening runs the kernel's notifiers, which wipe WireGuard keys among others.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SnapshotCause } from '#core/capabilities.ts';
import { C } from '#linux/abi.ts';
import { kernelParameter, parseCmdline } from '#linux/cmdline.ts';
import { ioctl } from '#linux/ffi.ts';
import { listNames, openError, REAL_ROOT, readText, writeText } from '#linux/sysfs.ts';

/** Why /dev/snapshot may not be used. */
export interface SnapshotRefusal {
  readonly cause: SnapshotCause;
  /** Completes "it offers no /dev/snapshot: …". */
  readonly reason: string;
}

/**
 * Undefined when /dev/snapshot may be used. The kernel itself says so (hibernation_available(), kernel/power/hibernate.c);
 * what it says no for is found out here. `tryOpen`: as `openError`.
 */
export function probeSnapshot(root = REAL_ROOT, tryOpen = openError): SnapshotRefusal | undefined {
  if (!existsSync(join(root, 'dev/snapshot')))
    return { cause: 'noHibernation', reason: 'the kernel has no hibernation' };
  const isOff = readText(root, 'sys/power/disk')?.includes('[disabled]') ?? false;
  const lockdown = readLockdown(root, tryOpen);
  if (lockdown !== 'none') return { cause: 'lockdown', reason: `the kernel is locked down (${lockdown})` };
  const parameter = forbiddingParameter(root);
  if (parameter !== undefined)
    return { cause: 'parameter', reason: `the kernel was started with ${parameter}` };
  const holders = isOff ? secretMemoryHolders(root) : [];
  if (holders.length > 0)
    return {
      cause: 'secretMemory',
      reason: `programs have secret memory (memfd_secret): ${holders.slice(0, 4).join(', ')}`,
    };
  if (isOff) return { cause: 'unknown', reason: 'the kernel has switched hibernation off' };
  const pmTest = selected(readText(root, 'sys/power/pm_test')) ?? 'none';
  return pmTest === 'none' ? undefined : { cause: 'pmTest', reason: `/sys/power/pm_test is ${pmTest}` };
}

function forbiddingParameter(root: string): string | undefined {
  const parameters = parseCmdline(readText(root, 'proc/cmdline') ?? '');
  if (kernelParameter(parameters, 'nohibernate') !== undefined) return 'nohibernate';
  return kernelParameter(parameters, 'hibernate') === 'no' ? 'hibernate=no' : undefined;
}

/**
 * 'none', 'integrity' or 'confidentiality'. The file is in a file system of its own, which is not mounted in the agent's
 * root and perhaps nowhere: then what lockdown forbids is tried (security/lockdown/lockdown.c).
 */
export function readLockdown(root = REAL_ROOT, tryOpen = openError): string {
  const told = ['', 'proc/1/root'].map(each =>
    selected(readText(root, each, 'sys/kernel/security/lockdown')),
  );
  const known = told.find(each => each !== undefined);
  if (known !== undefined) return known;
  if (tryOpen(join(root, 'dev/mem')) !== 'EPERM') return 'none';
  return tryOpen(join(root, 'proc/kcore')) === 'EPERM' ? 'confidentiality' : 'integrity';
}

/** Programs with memory of memfd_secret(2), as "ssh-agent (pid 812)": how mm/secretmem.c names its files. */
function secretMemoryHolders(root: string): string[] {
  return listNames(root, 'proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => / \/?secretmem( \(deleted\))?$/m.test(readText(root, 'proc', pid, 'maps') ?? ''))
    .map(pid => `${readText(root, 'proc', pid, 'comm') ?? '?'} (pid ${pid})`);
}

/** Of "none [integrity] confidentiality" the word in brackets. */
export function selected(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /\[([^\]]*)\]/.exec(text)?.[1];
}

/** How long FREEZE tries before it gives up with EBUSY, milliseconds. */
export function setFreezeTimeout(timeoutMs: number, root = REAL_ROOT): void {
  writeText(String(timeoutMs), root, freezeTimeout);
}

const freezeTimeout = 'sys/power/pm_freeze_timeout';

/** What a move wants of the kernel of the OS, by file. */
const moveSettings: Readonly<Record<string, string>> = {
  // Never reclaim: room is made before the freeze, while the disk is there.
  'sys/power/image_size': String(1n << 62n),
  [freezeTimeout]: '5000',
  // Devices are frozen and thawed in parallel.
  'sys/power/pm_async': '1',
  // khugepaged reads nothing in from swap. It would wait with pages locked for a disk whose stub stands still: the freeze fails
  // over it, and in the kernel that the OS has left whoever needs memory waits with it (__collapse_huge_page_swapin,
  // mm/khugepaged.c). Not every kernel has huge pages.
  'sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_swap': '0',
};

/**
 * Sets them until they are disposed of: the same settings serve suspend and hibernation of the OS itself.
 * @throws SystemError
 */
export function settingsForMove(root = REAL_ROOT): Disposable {
  const before = Object.keys(moveSettings).flatMap(file => {
    const value = readText(root, file);
    return value === undefined ? [] : [[file, value] as const];
  });
  const putBack = (): void => {
    for (const [file, value] of before) {
      try {
        writeText(value, root, file);
      } catch {
        // The outcome of the move is of more weight.
      }
    }
  };
  try {
    for (const [file] of before) writeText(moveSettings[file]!, root, file);
  } catch (error) {
    putBack();
    throw error;
  }
  return { [Symbol.dispose]: putBack };
}

/** Drops clean page cache and reclaimable slab. Takes seconds on large memories. */
export function dropCaches(root = REAL_ROOT): void {
  writeText('3', root, 'proc/sys/vm/drop_caches');
}

/**
 * Lets go of the image that the open snapshot device `fd` holds: kernel threads go on, user space stays frozen.
 * @throws SystemError
 */
export function freeImage(fd: number): void {
  ioctl(fd, C.SNAPSHOT_FREE, 0, 'free the image');
}

/** The name of the device that last refused to freeze; undefined when none did. */
export function lastFailedDevice(root = REAL_ROOT): string | undefined {
  return readText(root, 'sys/power/suspend_stats/last_failed_dev')?.trim() || undefined;
}
