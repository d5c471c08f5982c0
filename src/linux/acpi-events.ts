// Events of ACPI, by which firmware interrupts a kernel: /sys/firmware/acpi/interrupts (Documentation/ABI/testing/sysfs-firmware-acpi).
import { join } from 'node:path';
import { listNames, REAL_ROOT, readText } from '#linux/sysfs.ts';

const folder = 'sys/firmware/acpi/interrupts';

/** What to write into one file so that the event does not come any more, and so that it does again. */
export interface AcpiEvent {
  /** "/sys/firmware/acpi/interrupts/gpe6E" */
  readonly path: string;
  readonly off: string;
  readonly on: string;
}

/** Those that may come: general ones (`gpe6E`) and fixed ones (`ff_pwr_btn`). */
export function armedEvents(root = REAL_ROOT): AcpiEvent[] {
  return listNames(root, folder).flatMap(name => {
    if (!/^(gpe[0-9A-F]{2,}|ff_\w+)$/.test(name)) return [];
    // "      12  EN     enabled      unmasked"
    const words = (readText(root, folder, name) ?? '').trim().split(/\s+/);
    if (!words.includes('enabled') || words.includes('masked')) return [];
    const [off, on] = name.startsWith('gpe') ? ['mask\n', 'unmask\n'] : ['disable\n', 'enable\n'];
    return [{ path: join('/', folder, name), off, on }];
  });
}
