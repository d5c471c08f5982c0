// Settings under /sys/power that matter for /dev/snapshot, and the question whether the device may be used.
// It never opens /dev/snapshot: opening runs the kernel's notifiers, which wipe WireGuard keys among others.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kernelParameter, parseCmdline } from '#linux/cmdline.ts';
import { REAL_ROOT, readNumber, readText, writeText } from '#linux/sysfs.ts';

/** What stands in the way of the snapshot device. All of `exists`, no lockdown, no `disabledBy`, pmTest 'none' = fine. */
export interface SnapshotSupport {
  readonly exists: boolean;
  /** 'none', 'integrity', 'confidentiality'; 'none' also where the kernel knows no lockdown. */
  readonly lockdown: string;
  /** The parameter on the command line that forbids hibernation, e.g. 'nohibernate'. */
  readonly disabledBy: string | undefined;
  /** Anything but 'none' makes CREATE_IMAGE return without an image. */
  readonly pmTest: string;
}

export function probeSnapshot(root = REAL_ROOT): SnapshotSupport {
  const parameters = parseCmdline(readText(root, 'proc/cmdline') ?? '');
  let disabledBy: string | undefined;
  if (kernelParameter(parameters, 'nohibernate') !== undefined) disabledBy = 'nohibernate';
  const hibernate = kernelParameter(parameters, 'hibernate');
  if (hibernate === 'no') disabledBy = 'hibernate=no';
  return {
    exists: existsSync(join(root, 'dev/snapshot')),
    lockdown: selected(readText(root, 'sys/kernel/security/lockdown')) ?? 'none',
    disabledBy,
    pmTest: selected(readText(root, 'sys/power/pm_test')) ?? 'none',
  };
}

/** Of "none [integrity] confidentiality" the word in brackets. */
export function selected(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /\[([^\]]*)\]/.exec(text)?.[1];
}

/** The largest image the kernel makes without reclaiming memory first, bytes; huge = never reclaim. */
export function setImageSize(bytes: bigint, root = REAL_ROOT): void {
  writeText(String(bytes), root, 'sys/power/image_size');
}

/** Memory kept free for drivers while the image is made, bytes. */
export function setReservedSize(bytes: number, root = REAL_ROOT): void {
  writeText(String(bytes), root, 'sys/power/reserved_size');
}

/** How long FREEZE tries before it gives up with EBUSY, milliseconds. */
export function setFreezeTimeout(timeoutMs: number, root = REAL_ROOT): void {
  writeText(String(timeoutMs), root, 'sys/power/pm_freeze_timeout');
}

/** Whether devices are frozen and thawed in parallel. */
export function setAsyncDevices(parallel: boolean, root = REAL_ROOT): void {
  writeText(parallel ? '1' : '0', root, 'sys/power/pm_async');
}

/** Drops clean page cache and reclaimable slab. Takes seconds on large memories. */
export function dropCaches(root = REAL_ROOT): void {
  writeText('3', root, 'proc/sys/vm/drop_caches');
}

/** The name of the device that last refused to freeze; undefined when none did. */
export function lastFailedDevice(root = REAL_ROOT): string | undefined {
  return readText(root, 'sys/power/suspend_stats/last_failed_dev')?.trim() || undefined;
}

/** Current values, for reports; undefined where the kernel has no such setting. */
export function readPowerSettings(root = REAL_ROOT): {
  readonly imageSizeBytes: number | undefined;
  readonly reservedSizeBytes: number | undefined;
  readonly freezeTimeoutMs: number | undefined;
} {
  return {
    imageSizeBytes: readNumber(root, 'sys/power/image_size'),
    reservedSizeBytes: readNumber(root, 'sys/power/reserved_size'),
    freezeTimeoutMs: readNumber(root, 'sys/power/pm_freeze_timeout'),
  };
}
