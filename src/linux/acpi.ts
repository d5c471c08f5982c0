// Where this computer's firmware has put the root of its ACPI tables (RSDP). A kernel that came from another computer
// knows only that computer's, and a kernel started from it by kexec would look there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelParameter, readCmdline } from '#linux/cmdline.ts';
import { REAL_ROOT, readText } from '#linux/sysfs.ts';

/** Offset of acpi_rsdp_addr in struct boot_params (Documentation/x86/zero-page.rst). */
const rsdpAt = 0x70;

/**
 * Physical address; undefined when the kernel does not say. It was told at its start, or, where UEFI has started it, found it in the
 * tables of that: Linux 6.6, and 6.1 since, no longer notes it down then.
 */
export function readRsdp(root = REAL_ROOT): number | undefined {
  const given = Number(kernelParameter(readCmdline(root), 'acpi_rsdp') ?? 0);
  return given || rsdpOfBoot(root) || rsdpOfEfi(root) || undefined;
}

function rsdpOfBoot(root: string): number {
  try {
    return Number(readFileSync(join(root, 'sys/kernel/boot_params/data')).readBigUInt64LE(rsdpAt));
  } catch {
    return 0; // not x86, or a kernel without it
  }
}

/** The newer table where there are both: lines "ACPI20=0x5fb7e014". */
function rsdpOfEfi(root: string): number {
  const tables = readText(root, 'sys/firmware/efi/systab') ?? '';
  const [found] = ['ACPI20', 'ACPI'].flatMap(
    name => new RegExp(`^${name}=(0x[0-9a-f]+)$`, 'm').exec(tables)?.[1] ?? [],
  );
  return Number(found ?? 0);
}
