// Printer ports of this computer, parallel and USB, as the kernel's classes list them (a printer stub of our own is in
// neither class), what the printer behind one says it is, and its device node.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { C } from '#linux/abi.ts';
import { mknod } from '#linux/ffi.ts';
import { listNames, REAL_ROOT, readText } from '#linux/sysfs.ts';

export interface PrinterPort {
  readonly kind: 'parallel' | 'usb';
  /** The kernel's: "lp0" */
  readonly name: string;
  /** As programs know it: "/dev/lp0", "/dev/usb/lp0" */
  readonly path: string;
  /** IEEE 1284 device id; '' when the printer tells none. */
  readonly deviceId: string;
  /** Short form of the device id, to find the printer again; '' without one. */
  readonly identity: string;
  readonly major: number;
  readonly minor: number;
}

const usbName = /^lp\d+$/;

/** Parallel ports before USB printers, in order of their numbers. */
export function listPrinterPorts(root = REAL_ROOT): PrinterPort[] {
  const named = (folder: string): string[] =>
    listNames(root, 'sys/class', folder).filter(name => usbName.test(name));
  return [
    ...named('printer').map(name => {
      const asked = readText(root, 'proc/sys/dev/parport', name.replace('lp', 'parport'), 'autoprobe');
      return port('parallel', name, asked, readText(root, 'sys/class/printer', name, 'dev'));
    }),
    ...named('usbmisc').map(name => {
      const folder = ['sys/class/usbmisc', name] as const;
      return port(
        'usb',
        name,
        readText(root, ...folder, 'device/ieee1284_id'),
        readText(root, ...folder, 'dev'),
      );
    }),
  ];
}

function port(kind: PrinterPort['kind'], name: string, id: string | undefined, dev = ''): PrinterPort {
  const deviceId = (id ?? '').replaceAll('\n', '').trim();
  const identity = deviceId && sha256(deviceId).slice(0, 16);
  const [major = 0, minor = 0] = dev.split(':').map(Number);
  const path = kind === 'usb' ? `/dev/usb/${name}` : `/dev/${name}`;
  return { kind, name, path, deviceId, identity, major, minor };
}

/** Node's crypto is loaded only where there is a printer: that takes longer than the rest of a ghost's modules. */
function sha256(text: string): string {
  return process.getBuiltinModule('node:crypto').hash('sha256', text);
}

/**
 * A printer that is plugged in again may get another number: it is known by what it says it is, and by its number only
 * when it says nothing. A parallel port stays where it is.
 */
export function findPort(
  ports: readonly PrinterPort[],
  wanted: Pick<PrinterPort, 'kind' | 'name' | 'identity'>,
): PrinterPort | undefined {
  const alike = ports.filter(each => each.kind === wanted.kind);
  const named = alike.find(each => each.name === wanted.name);
  if (wanted.kind === 'parallel' || named?.identity === wanted.identity) return named;
  return alike.find(each => each.identity === wanted.identity);
}

/** Path of a node of the port: one of our own when another device, such as our stub, has its name. */
export function nodeOf({ kind, name, path, major, minor }: PrinterPort): string {
  if (isNode(path, major, minor)) return path;
  const own = `/dev/yado/${kind}-${name}`;
  if (isNode(own, major, minor)) return own;
  mkdirSync(dirname(own), { recursive: true, mode: 0o700 });
  rmSync(own, { force: true });
  mknod(own, C.S_IFCHR | 0o600, major, minor);
  return own;
}

/** Takes the node of a USB port ("lp0") away, so that a stub can have its name; `nodeOf` makes another one. False: there is none. */
export function takeNodeAway(name: string): boolean {
  const found = listPrinterPorts().find(each => each.kind === 'usb' && each.name === name);
  if (!found || !isNode(found.path, found.major, found.minor)) return false;
  rmSync(found.path);
  return true;
}

function isNode(path: string, major: number, minor: number): boolean {
  const rdev = statSync(path, { throwIfNoEntry: false })?.rdev;
  // gnu_dev_makedev, as stat gives it
  return rdev !== undefined && rdev >>> 8 === major && (rdev & 0xff) === minor;
}
