// What may keep an OS from standing still, or would do something while it does: programs that wait in the kernel, file
// systems in user space, watchdogs, usbip. Reads only; what is not there is no obstacle.
import { join } from 'node:path';
import { listNames, REAL_ROOT, readNumber, readText } from '#linux/sysfs.ts';

/** PF_KTHREAD (include/linux/sched.h) */
const kernelThread = 0x20_0000;

interface TaskStat {
  readonly name: string;
  /** "D": waits in the kernel and hears no signal (Documentation/filesystems/proc.rst). */
  readonly state: string;
  readonly flags: number;
}

/** /proc/PID/stat; undefined when it is none. The name may hold blanks and brackets. */
export function parseTaskStat(text: string): TaskStat | undefined {
  const found = /^\d+ \((.*)\) (\S) (?:-?\d+ ){5}(\d+)/s.exec(text);
  return found ? { name: found[1] ?? '', state: found[2] ?? '', flags: Number(found[3]) } : undefined;
}

/** Threads of programs that wait in the kernel and hear no signal, as "cp (pid 812)". */
export function readWaitingTasks(root = REAL_ROOT): string[] {
  const stat = (...path: string[]): TaskStat | undefined =>
    parseTaskStat(readText(root, 'proc', ...path, 'stat') ?? '');
  return listNames(root, 'proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => ((stat(pid)?.flags ?? kernelThread) & kernelThread) === 0)
    .flatMap(pid => listNames(root, 'proc', pid, 'task').map(thread => [pid, thread] as const))
    .flatMap(([pid, thread]) => {
      const task = stat(pid, 'task', thread);
      return task?.state === 'D' ? [`${task.name} (pid ${thread})`] : [];
    });
}

/**
 * Requests that file systems in user space have not answered (Documentation/filesystems/fuse.rst). The agent's own /sys
 * has nothing mounted in it: looked for in the root of the OS.
 */
export function readFuseRequests(root = REAL_ROOT): number {
  const at = join(root, 'proc/1/root/sys/fs/fuse/connections');
  return listNames(at).reduce((sum, name) => sum + (readNumber(at, name, 'waiting') ?? 0), 0);
}

/** Timers of the kernel itself stand still with it. */
const softWatchdog = /^Software Watchdog/i;

/** Hardware watchdogs that are armed: "iTCO_wdt, 60 s". */
export function readArmedWatchdogs(root = REAL_ROOT): string[] {
  const at = join(root, 'sys/class/watchdog');
  return listNames(at).flatMap(name => {
    const identity = readText(at, name, 'identity')?.trim() ?? name;
    if (readText(at, name, 'state')?.trim() !== 'active' || softWatchdog.test(identity)) return [];
    const seconds = readNumber(at, name, 'timeout');
    return [seconds === undefined ? identity : `${identity}, ${seconds} s`];
  });
}

/** VDEV_ST_USED (drivers/usb/usbip/usbip_common.h) as the status files write it. */
const usbipUsed = 6;

/** USB devices of other computers. The files are tables: hub, port, state, speed, … */
export function readUsbipDevices(root = REAL_ROOT): number {
  const at = join(root, 'sys/devices/platform/vhci_hcd.0');
  return listNames(at)
    .filter(name => /^status(\.\d+)?$/.test(name))
    .flatMap(name => (readText(at, name) ?? '').split('\n'))
    .filter(line => Number(/^[hs]s\s+\d+\s+(\d+)\s/.exec(line)?.[1]) === usbipUsed).length;
}

/** Network interfaces of WireGuard. */
export function readWireguard(root = REAL_ROOT): string[] {
  const at = join(root, 'sys/class/net');
  return listNames(at).filter(name => /^DEVTYPE=wireguard$/m.test(readText(at, name, 'uevent') ?? ''));
}

/** Bytes set aside for a crash kernel. */
export function readCrashKernelBytes(root = REAL_ROOT): number {
  return readNumber(root, 'sys/kernel/kexec_crash_size') ?? 0;
}
