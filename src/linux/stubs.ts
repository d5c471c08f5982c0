// The two stubs that the initramfs makes, and which of them is exchanged when the OS moves: the one right under the root file
// system, or the one beneath the encrypted container that it lies in. Reads /proc and /sys only, which never wait for a disk.
import { basename } from 'node:path';
import { linkName, listNames, REAL_ROOT, readText } from '#linux/sysfs.ts';

/** Right under the root file system, whatever that lies on. Hides the mark. */
export const rootStub = 'yado-root';
/** Beneath the container (LUKS) of the root file system: only what is encrypted passes it. Hides nothing. */
export const containerStub = 'yado-disk';
export type StubName = typeof rootStub | typeof containerStub;

/**
 * The stub that moves: the one beneath the container when all of the root file system lies on it. `mounts`: of the OS, by
 * default as its first process sees them.
 */
export function movingStub(root = REAL_ROOT, mounts = readText(root, 'proc/1/mounts') ?? ''): StubName {
  const device = mounts
    .split('\n')
    .map(line => line.split(' '))
    .findLast(each => each[1] === '/')?.[0];
  const lies = device !== undefined && liesOn(device, name => name === containerStub, root);
  return lies ? containerStub : rootStub;
}

/** Whether all that lies beneath a device ("/dev/mapper/home") ends at device-mapper devices of such names. */
export function liesOn(device: string, isIt: (dmName: string) => boolean, root = REAL_ROOT): boolean {
  const name = kernelName(device, root);
  if (device.startsWith('/dev/mapper/') && isIt(basename(device))) return true;
  return name !== undefined && endsAt(name, isIt, root);
}

function endsAt(name: string, isIt: (dmName: string) => boolean, root: string): boolean {
  const dmName = readText(root, 'sys/class/block', name, 'dm/name')?.trim();
  if (dmName !== undefined && isIt(dmName)) return true;
  const below = listNames(root, 'sys/class/block', name, 'slaves');
  return below.length > 0 && below.every(each => endsAt(each, isIt, root));
}

/** "dm-3" for "/dev/mapper/crab-root", which may be a node or a link, and for any other link below /dev. */
function kernelName(device: string, root: string): string | undefined {
  if (device.startsWith('/dev/mapper/')) {
    const dmName = basename(device);
    return listNames(root, 'sys/class/block').find(
      each => readText(root, 'sys/class/block', each, 'dm/name')?.trim() === dmName,
    );
  }
  if (/^\/dev\/[^/]+$/.test(device)) return basename(device);
  return linkName(root, device.slice(1));
}
