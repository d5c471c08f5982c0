// Disks by names that do not change: as udev makes them below /dev/disk/by-id, and by serial number. Read from sysfs, for a
// standby has no udev.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  type BlockDevice,
  type BlockPlace,
  describeName,
  findBlockDevice,
  listBlockDevices,
} from '#linux/block.ts';
import { listNames, REAL_ROOT, readText, resolveLink } from '#linux/sysfs.ts';

/** Whole disks with hardware of their own. */
export function listDisks(root = REAL_ROOT): BlockDevice[] {
  return listNames(root, 'sys/class/block')
    .map(name => describeName(name, root))
    .filter(each => each.place !== undefined && each.partition === undefined && each.sizeBytes > 0);
}

/** The best name first; none for a disk that says nothing of itself. */
export function namesOfDisk(disk: string, root = REAL_ROOT): string[] {
  const at = ['sys/class/block', disk] as const;
  const text = (...path: string[]): string =>
    udevName(readText(root, ...at, ...path)?.replaceAll('\0', '') ?? '');
  const serial = text('serial') || text('device/serial') || udevName(pageOfSerial(disk, root));
  const model = text('device/model');
  const wwid = text('wwid') || text('device/wwid');
  const driver = disk.startsWith('nvme') ? 'nvme' : disk.startsWith('vd') ? 'virtio' : undefined;
  const wwn = /^naa\.([0-9a-f]{16,32})$/.exec(wwid)?.[1];
  const names = [
    ...(driver === 'virtio' && serial ? [`virtio-${serial}`] : []),
    ...(driver === 'nvme' && serial ? [`nvme-${model}_${serial}`] : []),
    ...(driver === 'nvme' && wwid ? [`nvme-${wwid}`] : []),
    ...(wwn ? [`wwn-0x${wwn}`] : []),
    ...(driver === undefined && serial ? [`${busOf(disk, root)}-${model ? `${model}_` : ''}${serial}`] : []),
    ...(serial ? [serial] : []),
  ];
  return [...new Set(names)];
}

/**
 * Those a name stands for: a path below /dev/disk/by-id, its last part, or a serial number; with "-part2" behind it a
 * partition. More than one: the name says too little.
 */
export function disksNamed(asked: string, root = REAL_ROOT): BlockDevice[] {
  const [, wanted = '', partition] = /^(.+?)(?:-part(\d+))?$/.exec(basename(asked)) ?? [];
  const serialOf = (names: readonly string[]): string | undefined => names.at(-1);
  const disks = listDisks(root).filter(({ name }) => {
    const names = namesOfDisk(name, root);
    const serial = serialOf(names);
    // udev knows more of a disk than is asked here, and writes other things before its serial number.
    const endsSo = serial !== undefined && serial.length >= 4 && wanted.endsWith(`_${serial}`);
    return names.includes(wanted) || endsSo;
  });
  if (partition === undefined) return disks;
  return disks.flatMap(({ name }) => {
    const found = listNames(root, 'sys/class/block', name).find(
      each => readText(root, 'sys/class/block', name, each, 'partition') === partition,
    );
    return found === undefined ? [] : [describeName(found, root)];
  });
}

/** The names of a disk or a partition, the best one first: with "-part2" behind those of the disk for a partition. */
export function namesOf({ name, disk, partition }: BlockDevice, root = REAL_ROOT): string[] {
  const names = namesOfDisk(disk ?? name, root);
  return partition === undefined ? names : names.map(each => `${each}-part${partition}`);
}

/**
 * The disk or partition called `name`, wherever it is now: a controller that was found anew counts its disks as they come. One
 * that says nothing of itself is the one at `place`. None: it is not there (yet). Several: the name says too little.
 */
export function disksCalled(name: string, place: BlockPlace, root = REAL_ROOT): BlockDevice[] {
  const called = listBlockDevices(root).filter(
    each => each.place !== undefined && namesOf(each, root).includes(name),
  );
  if (called.length > 0) return called;
  const there = findBlockDevice(place, root);
  return there && namesOf(there, root).length === 0 ? [there] : [];
}

/** What cannot be in a name is an underscore. */
const udevName = (text: string): string => text.trim().replaceAll(/[^\w.+:@#=-]+/g, '_');

/** The vital product data page 0x80 of a SCSI disk: four bytes, then the serial number. */
function pageOfSerial(disk: string, root: string): string {
  try {
    return readFileSync(join(root, 'sys/class/block', disk, 'device/vpd_pg80'))
      .subarray(4)
      .toString('latin1');
  } catch {
    return '';
  }
}

function busOf(disk: string, root: string): string {
  const path = resolveLink(root, 'sys/class/block', disk) ?? '';
  if (/\/usb\d+\//.test(path)) return 'usb';
  return /\/ata\d+\//.test(path) ? 'ata' : 'scsi';
}
