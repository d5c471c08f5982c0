// CPUs of this computer by the kernel's numbers, and switching them on and off while it runs (CPU hotplug). The kernel
// moves the programs of one that goes to others; a program that was bound to it loses that binding.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { REAL_ROOT, requireText, writeText } from '#linux/sysfs.ts';

export interface Cpu {
  /** The N of cpuN. */
  readonly number: number;
  readonly apicId: number;
}

/** CPUs at work. */
export function onlineCpus(root = REAL_ROOT): Cpu[] {
  return requireText(root, 'proc/cpuinfo')
    .split(/\n\s*\n/)
    .flatMap(block => {
      const number = /^processor\s*:\s*(\d+)$/m.exec(block)?.[1];
      const apicId = /^apicid\s*:\s*(\d+)$/m.exec(block)?.[1];
      return number === undefined || apicId === undefined
        ? []
        : [{ number: Number(number), apicId: Number(apicId) }];
    });
}

const switchOf = (number: number, root: string): string =>
  join(root, 'sys/devices/system/cpu', `cpu${number}`, 'online');

/** False for the one the kernel was started on. */
export const canSwitch = ({ number }: Cpu, root = REAL_ROOT): boolean => existsSync(switchOf(number, root));

/** @throws SystemError EBUSY, for one, when tasks with deadlines would have too little time left */
export function switchCpu({ number }: Cpu, isOn: boolean, root = REAL_ROOT): void {
  writeText(isOn ? '1' : '0', switchOf(number, root));
}
