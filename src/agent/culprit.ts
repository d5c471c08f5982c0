// Who kept the OS from standing still, where only the kernel's log tells.
import { deviceThatRefused, readKernelLog, taskThatRefused } from '#linux/kernel-log.ts';
import type { HelperReport } from '#wire/report.ts';

/** The task or the device, as the kernel names it; undefined when something else was the reason, or nothing is told. */
export function culpritOf({ reason }: HelperReport): string | undefined {
  if (reason === 'freeze') return taskThatRefused(readKernelLog());
  return reason === 'image' ? deviceThatRefused(readKernelLog()) : undefined;
}
