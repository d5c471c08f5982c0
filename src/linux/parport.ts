// Parallel printer ports: which /dev/lpN there are, and what the printer behind one says it is.
import { listNames, REAL_ROOT, readText } from '#linux/sysfs.ts';

export interface PrinterPort {
  /** "/dev/lp0" */
  readonly path: string;
  readonly name: string;
  /** IEEE 1284 device id; '' when the printer tells none. */
  readonly deviceId: string;
}

/** In order of their numbers. */
export function listPrinterPorts(root = REAL_ROOT): PrinterPort[] {
  return listNames(root, 'sys/class/printer')
    .filter(name => /^lp\d+$/.test(name))
    .map(name => ({
      path: `/dev/${name}`,
      name,
      deviceId: (readText(root, 'proc/sys/dev/parport', name.replace('lp', 'parport'), 'autoprobe') ?? '')
        .replaceAll('\n', '')
        .trim(),
    }));
}
