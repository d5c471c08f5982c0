// What of a disk is mounted at a path, as it would be mounted again, and whether anything is. The parser is pure. The mounts are
// those of the OS.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isOnDisk, type Mount, unescaped } from '#linux/storage-in-use.ts';
import { REAL_ROOT, readText } from '#linux/sysfs.ts';

export interface MountedDisk extends Mount {
  readonly type: string;
  /** "rw,relatime,utf8" */
  readonly options: string;
  /** False when the disk has gone away beneath it: there is nothing but errors then. */
  readonly isThere: boolean;
}

interface MountInfo extends Omit<MountedDisk, 'isThere'> {
  /** "8:1"; "0:37" for a file system that gives itself one (btrfs). */
  readonly number: string;
}

const readMountInfo = (root: string): string => readText(root, 'proc/1/mountinfo') ?? '';

/** /proc/PID/mountinfo (proc(5)) as rows. What shows a part of a file system only (bind mounts) is left out. */
export function parseMountInfo(text: string): MountInfo[] {
  return text.split('\n').flatMap(line => {
    const [mount, fileSystem] = line.split(' - ', 2).map(half => half.split(' '));
    const [, , number = '', top, path, options = ''] = mount ?? [];
    const [type = '', device, more = ''] = fileSystem ?? [];
    if (top !== '/' || !path || !device) return [];
    // That it can be written to at all says nothing of this mount.
    const ofBoth = [options, ...more.split(',').filter(each => !['', 'rw', 'ro'].includes(each))];
    return [
      {
        number,
        device: unescaped(device),
        path: unescaped(path),
        type,
        options: unescaped(ofBoth.join(',')),
      },
    ];
  });
}

/** Of several mounts at that path the one on top; of the type `autofs` where only a look at it would mount something. */
export function mountedAt(path: string, root = REAL_ROOT): MountedDisk | undefined {
  const rows = parseMountInfo(readMountInfo(root));
  const found = rows.findLast(each => each.path === path);
  if (!found) return undefined;
  const { number, ...mount } = found;
  const device = number.startsWith('0:') ? mount.device : `sys/dev/block/${number}`;
  return { ...mount, isThere: existsSync(join(root, device)) };
}

/** Disks with a file system that can still be written to, whatever its single mounts allow. */
export function writableDisks(root = REAL_ROOT): string[] {
  const halves = readMountInfo(root)
    .split('\n')
    .map(line => (line.split(' - ', 2)[1] ?? '').split(' '));
  const devices = halves.flatMap(([, device = '', options = '']) =>
    options.split(',').includes('rw') ? [unescaped(device)] : [],
  );
  return [...new Set(devices.filter(isOnDisk))];
}

/** True when anything at all is mounted at that path, also a part of a file system, or what mounts when it is looked at (autofs). */
export function isMountPoint(path: string, root = REAL_ROOT): boolean {
  return readMountInfo(root)
    .split('\n')
    .some(line => unescaped(line.split(' ')[4] ?? '') === path);
}
