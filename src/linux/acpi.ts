// Where this computer's firmware has put the root of its ACPI tables (RSDP). A kernel that came from another computer
// knows only that computer's, and a kernel started from it by kexec would look there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelParameter, readCmdline } from '#linux/cmdline.ts';
import { REAL_ROOT } from '#linux/sysfs.ts';

/** Offset of acpi_rsdp_addr in struct boot_params (Documentation/x86/zero-page.rst). */
const rsdpAt = 0x70;

/** Physical address as the kernel was told at its start; undefined when it does not say. */
export function readRsdp(root = REAL_ROOT): number | undefined {
  const given = Number(kernelParameter(readCmdline(root), 'acpi_rsdp') ?? 0);
  if (given > 0) return given;
  try {
    const address = readFileSync(join(root, 'sys/kernel/boot_params/data')).readBigUInt64LE(rsdpAt);
    return address > 0n ? Number(address) : undefined;
  } catch {
    return undefined; // not x86, or a kernel without it
  }
}
