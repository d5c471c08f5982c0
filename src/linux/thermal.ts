// Thermal zones: sensors that the kernel asks now and then, and switches the computer off when one says that it is too hot. Where one
// is asked by a program of the firmware (ACPI) it says anything at a computer with another firmware.
import { join } from 'node:path';
import { listNames, REAL_ROOT, readText, writeText } from '#linux/sysfs.ts';

const folder = 'sys/class/thermal';

/** Those that are asked and may switch the computer off: "thermal_zone0". */
export function criticalZones(root = REAL_ROOT): string[] {
  const at = join(root, folder);
  return listNames(at)
    .filter(name => /^thermal_zone\d+$/.test(name))
    .filter(name => readText(at, name, 'mode')?.trim() === 'enabled')
    .filter(name =>
      listNames(at, name)
        .filter(each => /^trip_point_\d+_type$/.test(each))
        .some(each => readText(at, name, each)?.trim() === 'critical'),
    );
}

/** @throws SystemError */
export function switchZone(name: string, isOn: boolean, root = REAL_ROOT): void {
  writeText(isOn ? 'enabled' : 'disabled', root, folder, name, 'mode');
}
