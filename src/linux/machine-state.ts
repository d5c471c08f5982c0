// What a kernel knows of the computer it was started on: firmware, caching, IOMMU, clocks, and how it takes its own
// warnings. Reads only; what is not there gives an empty value, never an error.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kernelParameter, parseCmdline } from '#linux/cmdline.ts';
import { listNames, REAL_ROOT, readNumber, readText } from '#linux/sysfs.ts';

export interface FirmwareState {
  readonly kind: 'BIOS' | 'UEFI';
  /** UEFI runtime services are in use. */
  readonly isCalled: boolean;
  /** "LENOVO 20XW ThinkPad X1 20XWCTO1WW"; empty when the firmware does not say. */
  readonly model: string;
  readonly version: string;
  /** Lines of /proc/mtrr. */
  readonly mtrrs: readonly string[];
  readonly hasIommu: boolean;
  /** It leaves reports of errors in memory (the table HEST), which the kernel reads. */
  readonly hasErrorReports: boolean;
}

export function readFirmware(root = REAL_ROOT): FirmwareState {
  const dmi = (name: string): string => readText(root, 'sys/class/dmi/id', name)?.trim() ?? '';
  const kind = listNames(root, 'sys/firmware/efi').length > 0 ? 'UEFI' : 'BIOS';
  const parameters = parseCmdline(readText(root, 'proc/cmdline') ?? '');
  const isOff =
    kernelParameter(parameters, 'noefi') !== undefined ||
    (kernelParameter(parameters, 'efi') ?? '').split(',').includes('noruntime');
  return {
    kind,
    isCalled: kind === 'UEFI' && !isOff,
    model: [...new Set(['sys_vendor', 'product_name', 'product_version', 'board_name'].map(dmi))]
      .filter(Boolean)
      .join(' '),
    version: dmi('bios_version'),
    hasErrorReports:
      existsSync(join(root, 'sys/firmware/acpi/tables/HEST')) &&
      kernelParameter(parameters, 'hest_disable') === undefined,
    mtrrs: (readText(root, 'proc/mtrr') ?? '').split('\n').filter(Boolean),
    // With intel_iommu=off alone nothing is registered, and interrupts go through it all the same ("IR-PCI-MSI").
    hasIommu:
      listNames(root, 'sys/class/iommu').length > 0 || / IR-/.test(readText(root, 'proc/interrupts') ?? ''),
  };
}

export interface ClockState {
  /** "tsc"; empty when the kernel does not say. */
  readonly source: string;
  readonly sources: readonly string[];
  /** Seconds since 1970 of the battery-backed clock; null when there is none. */
  readonly rtcSeconds: number | null;
  /** Port of the timer of ACPI; null when there is none. */
  readonly pmTimerPort: number | null;
}

export function readClocks(root = REAL_ROOT): ClockState {
  const at = join(root, 'sys/devices/system/clocksource/clocksource0');
  const port = /^ *([0-9a-f]+)-[0-9a-f]+ : ACPI PM_TMR$/m.exec(readText(root, 'proc/ioports') ?? '')?.[1];
  const rtcSeconds = readNumber(root, 'sys/class/rtc/rtc0/since_epoch');
  return {
    source: readText(at, 'current_clocksource')?.trim() ?? '',
    sources: (readText(at, 'available_clocksource') ?? '').split(/\s+/).filter(Boolean),
    pmTimerPort: port === undefined ? null : Number.parseInt(port, 16),
    rtcSeconds:
      rtcSeconds !== undefined && Number.isSafeInteger(rtcSeconds) && rtcSeconds >= 0 ? rtcSeconds : null,
  };
}

/**
 * The rate of the time stamp counter that this kernel goes by, kHz, from its log (arch/x86/kernel/tsc.c): the refined
 * one, else the first. Undefined when the log has lost it, or the kernel has found out that it goes wrong.
 */
export function tscKhzIn(log: readonly string[]): number | undefined {
  if (log.some(line => /^tsc: Marking TSC unstable/.test(line))) return undefined;
  const find = (pattern: RegExp): number | undefined => {
    const found = log.map(line => pattern.exec(line)?.[1]).findLast(each => each !== undefined);
    return found === undefined ? undefined : Math.round(Number(found) * 1000);
  };
  return (
    find(/^tsc: Refined TSC clocksource calibration: (\d+\.\d+) MHz/) ??
    find(/^tsc: Detected (\d+\.\d+) MHz TSC/) ??
    find(/^tsc: Detected (\d+\.\d+) MHz processor/)
  );
}

/**
 * Whether the kernel speaks with the interrupt controllers in their newer mode (arch/x86/kernel/apic/apic.c): firmware may have
 * switched it on, and the kernel off again. Undefined when the log has lost its beginning.
 */
export function usesX2apic(log: readonly string[]): boolean | undefined {
  const said = log.findLast(line => /^(?:APIC: )?x2apic(?:: enabled by BIOS| enabled| disabled)/.test(line));
  if (said !== undefined) return !said.endsWith('disabled');
  return log.some(line => line.startsWith('Linux version ')) ? false : undefined;
}

/** True when the kernel says that memory is encrypted (arch/x86/mm/mem_encrypt*.c), or was told to encrypt it. */
export function isMemoryEncrypted(log: readonly string[], root = REAL_ROOT): boolean {
  const parameters = parseCmdline(readText(root, 'proc/cmdline') ?? '');
  if (kernelParameter(parameters, 'mem_encrypt') === 'on') return true;
  return log.some(line => /Memory Encryption (Features|is) active/i.test(line));
}

/** Registers for errors of the hardware that the first CPU has (arch/x86/kernel/cpu/mce/core.c); 0 without any. */
export const readMachineCheckBanks = (root = REAL_ROOT): number =>
  listNames(root, 'sys/devices/system/machinecheck/machinecheck0').filter(name => /^bank\d+$/.test(name))
    .length;

export function panicsOnWarning(root = REAL_ROOT): boolean {
  return (readNumber(root, 'proc/sys/kernel/panic_on_warn') ?? 0) > 0;
}
