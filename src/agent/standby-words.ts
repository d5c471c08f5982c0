// What a kernel that starts the standby image by kexec tells it on its command line: the ghost's, and that of a computer
// that finds a mark on its own disk.
import { readFileSync } from 'node:fs';
import type { Computer } from '#core/computer.ts';
import { machineAddressOf } from '#core/machine-address.ts';
import { standbyKernelWords, withoutIommuWords } from '#core/standby-kernel.ts';
import { readFirmware } from '#linux/machine-state.ts';

/** Words of this kernel that the standby needs too. */
const keptWords =
  /^(console=|memmap=|acpi=|earlyprintk=|panic=|ignore_loglevel|no5lvl|yado\.console=|yado\.prompt=|yado\.timescale=)/;

export function standbyWords(computer: Computer, nic: string | undefined, more: readonly string[]): string {
  const kept = readFileSync('/proc/cmdline', 'utf8')
    .trim()
    .split(' ')
    .filter(word => keptWords.test(word));
  return [
    ...kept,
    `yado.name=${computer.name}`,
    `yado.address=${machineAddressOf(computer)}`,
    `yado.nic=${nic ?? ''}`,
    ...more,
    ...standbyKernelWords,
    ...(readFirmware().hasIommu ? [] : withoutIommuWords),
    'quiet',
  ].join(' ');
}

/**
 * What a kernel started by kexec must be told besides: it takes over what this kernel knows of the firmware, and when
 * this one was started on another computer, that is the other's.
 */
export function kexecWords(rsdp: number | null, startedHere: boolean): string[] {
  const tables = rsdp === null ? [] : [`acpi_rsdp=0x${rsdp.toString(16)}`];
  return startedHere ? tables : [...tables, 'noefi', 'initcall_blacklist=sysfb_init'];
}
