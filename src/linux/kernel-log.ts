// What the kernel says why it could not stand still: its log is the only place where it names the task or the device.
import { closeSync, constants, openSync, readSync } from 'node:fs';

/** Longest record of /dev/kmsg (CONSOLE_EXT_LOG_MAX, kernel/printk/printk.c). */
const recordBytes = 8192;
const lastLines = 400;

/** The last `most` lines of the kernel's log, oldest first, without their prefixes; empty where it cannot be read. */
export function readKernelLog(path = '/dev/kmsg', most = lastLines): string[] {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return [];
  }
  try {
    const lines: string[] = [];
    const record = Buffer.alloc(recordBytes);
    for (;;) {
      const count = nextRecord(fd, record);
      if (count === 0) return lines.slice(-most);
      if (count === undefined) continue;
      const [first = ''] = record.toString('utf8', 0, count).split('\n');
      lines.push(first.slice(first.indexOf(';') + 1));
    }
  } finally {
    closeSync(fd);
  }
}

/** Count of its bytes: 0 at the end, undefined for one that was overwritten while we read. */
function nextRecord(fd: number, record: Buffer): number | undefined {
  try {
    return readSync(fd, record);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPIPE' ? undefined : 0;
  }
}

/** The first task that would not freeze the last time this failed (kernel/power/process.c): "cat (pid 812)". */
export function taskThatRefused(lines: readonly string[]): string | undefined {
  const failed = lines.findLastIndex(each => /^Freezing .*failed after/.test(each));
  if (failed < 0) return undefined;
  const task = lines.slice(failed).find(each => /^task:/.test(each));
  const words = task && /^task:(.*?)\s+state:.*?pid:\s*(\d+)/.exec(task);
  return words ? `${words[1]} (pid ${words[2]})` : undefined;
}

/** The last device that would not be stopped (drivers/base/power/main.c): "virtio0" of "virtio-pci 0000:00:04.0". */
export function deviceThatRefused(lines: readonly string[]): string | undefined {
  const failed = lines.findLast(each => / PM: .*failed to (freeze|suspend)/.test(` ${each}`));
  return failed && /^(.*?): PM:/.exec(failed)?.[1];
}
