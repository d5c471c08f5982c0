// Block devices as sysfs shows them: number, size, where they sit (PCI address, unit, partition), what lies below.
// The place, not the name, identifies a disk: after a PCI rescan vda may come back as vdb, and of two disks behind one
// controller either may come first.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { C } from '#linux/abi.ts';
import { ioctl, open } from '#linux/ffi.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { isPciAddress } from '#linux/pci.ts';
import { listNames, REAL_ROOT, readNumber, readText, resolveLink } from '#linux/sysfs.ts';
import { FormatError } from '#linux/system-error.ts';

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/**
 * Where a block device sits. No partition = whole disk. `volume`: a volume of LVM on that disk or partition, by the uuid that
 * device-mapper knows it by.
 */
export interface BlockPlace {
  readonly pciAddress: string;
  /** Tells the disk from others behind the same PCI device (16 hexadecimal digits); absent when it says nothing of itself. */
  readonly identity?: string;
  readonly partition?: number;
  readonly volume?: string;
}

export interface BlockDevice extends DeviceNumber {
  /** Kernel name: "vda1", "dm-0". Its node is `/dev/<name>` (with '!' for '/'). */
  readonly name: string;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly logicalBlockBytes: number;
  readonly partition?: number;
  /** Name of the whole disk when this is a partition. */
  readonly disk?: string;
  /** Absent for devices without PCI hardware of their own (dm, nbd, loop). */
  readonly place?: BlockPlace;
  /** Kernel names of the devices below (dm, md). */
  readonly slaves: readonly string[];
  /** dm devices only. */
  readonly dmName?: string;
}

/** "vda1" or "/dev/mapper/root" -> what it is. @throws FormatError when it is no block device */
export function blockDeviceAt(path: string, root = REAL_ROOT): BlockDevice {
  const stat = statSync(path);
  if (!stat.isBlockDevice()) throw new FormatError(path, 'not a block device');
  return describe(decodeStatNumber(stat.rdev), root);
}

/** The device with that number. @throws FormatError when there is none */
export function describe(number: DeviceNumber, root = REAL_ROOT): BlockDevice {
  const path = resolveLink(root, 'sys/dev/block', `${number.major}:${number.minor}`);
  if (path === undefined)
    throw new FormatError(`block device ${number.major}:${number.minor}`, 'does not exist');
  return describeName(basename(path), root);
}

/** The device of that kernel name ("vda"). @throws FormatError when there is none */
export function describeName(name: string, root = REAL_ROOT): BlockDevice {
  const path = resolveLink(root, 'sys/class/block', name);
  const at = ['sys/class/block', name] as const;
  const number = /^(\d+):(\d+)$/.exec(readText(root, ...at, 'dev') ?? '');
  if (path === undefined || number === null) throw new FormatError(`block device ${name}`, 'does not exist');
  const partition = readNumber(root, ...at, 'partition');
  const disk = partition === undefined ? undefined : basename(dirname(path));
  const place = placeOf(disk ?? name, partition, root);
  const dmName = readText(root, ...at, 'dm/name');
  return {
    name,
    major: Number(number[1]),
    minor: Number(number[2]),
    sizeBytes: (readNumber(root, ...at, 'size') ?? 0) * 512, // always 512-byte sectors here
    readOnly: readNumber(root, ...at, 'ro') === 1,
    logicalBlockBytes: readNumber(root, 'sys/class/block', disk ?? name, 'queue/logical_block_size') ?? 512,
    slaves: listNames(root, ...at, 'slaves'),
    ...(partition !== undefined && { partition }),
    ...(disk !== undefined && { disk }),
    ...(place !== undefined && { place }),
    ...(dmName !== undefined && { dmName }),
  };
}

/** The ways to a namespace of an NVMe subsystem ("nvme0c0n1") have no number: nobody can open them. */
const isHidden = (name: string, root: string): boolean =>
  readText(root, 'sys/class/block', name, 'dev') === undefined;

/** All block devices that have a size. */
export function listBlockDevices(root = REAL_ROOT): BlockDevice[] {
  return listNames(root, 'sys/class/block')
    .filter(name => !isHidden(name, root))
    .map(name => describeName(name, root))
    .filter(device => device.sizeBytes > 0);
}

/**
 * The block device that sits at `place` now; undefined while there is none, or while it could as well be another one. A volume
 * of LVM is none: the disk it lies on is another thing, and whoever means that says so by a place without a volume.
 */
export function findBlockDevice(place: BlockPlace, root = REAL_ROOT): BlockDevice | undefined {
  if (place.volume !== undefined) return undefined;
  const behind = disksBehind(place.pciAddress, root);
  const [disk, another] =
    place.identity === undefined ? behind : behind.filter(name => identityOf(name, root) === place.identity);
  if (disk === undefined || another !== undefined) return undefined;
  if (place.partition === undefined) return describeName(disk, root);
  const name = listNames(root, 'sys/class/block', disk).find(
    child => readNumber(root, 'sys/class/block', disk, child, 'partition') === place.partition,
  );
  return name === undefined ? undefined : describeName(name, root);
}

/** The device-mapper device of that uuid; undefined when there is none. */
export function findDmDevice(uuid: string, root = REAL_ROOT): BlockDevice | undefined {
  const name = listNames(root, 'sys/class/block').find(each => dmUuid(each, root) === uuid);
  return name === undefined ? undefined : describeName(name, root);
}

/** Undefined for what is no device-mapper device; empty for one without. */
export const dmUuid = (name: string, root = REAL_ROOT): string | undefined =>
  readText(root, 'sys/class/block', name, 'dm/uuid');

/** Makes the kernel read the partition table again. @throws SystemError EBUSY while a partition is in use */
export function rereadPartitions(path: string): void {
  using disk = new OwnedFd(open(path, C.O_RDONLY));
  ioctl(disk.fd, C.BLKRRPART, 0, `re-read partitions of ${path}`);
}

/** The node of a kernel name. */
export function nodePath(name: string): string {
  return `/dev/${name.replaceAll('!', '/')}`;
}

function placeOf(disk: string, partition: number | undefined, root: string): BlockPlace | undefined {
  const pciAddress = pciAddressOfDisk(disk, root);
  if (pciAddress === undefined) return undefined;
  const identity = identityOf(disk, root);
  return {
    pciAddress,
    ...(identity !== undefined && { identity }),
    ...(partition !== undefined && { partition }),
  };
}

/** Where a disk says which one it is, the best first: NVMe, SCSI and SATA, virtio, old NVMe and SD cards, USB. */
const whoItIs = ['wwid', 'device/wwid', 'serial', 'device/serial', 'device/vpd_pg80'];

function identityOf(disk: string, root: string): string | undefined {
  const said = whoItIs
    .map(file => readText(root, 'sys/class/block', disk, file)?.replaceAll('\0', '').trim())
    .find(each => each !== undefined && each !== '');
  return said === undefined ? undefined : createHash('sha256').update(said).digest('hex').slice(0, 16);
}

function disksBehind(pciAddress: string, root: string): string[] {
  return listNames(root, 'sys/class/block')
    .filter(
      name => readText(root, 'sys/class/block', name, 'partition') === undefined && !isHidden(name, root),
    )
    .filter(name => pciAddressOfDisk(name, root) === pciAddress);
}

function pciAddressOfDisk(name: string, root: string): string | undefined {
  return pathOfDisk(name, root)?.split('/').findLast(isPciAddress);
}

function pathOfDisk(name: string, root: string): string | undefined {
  const path = resolveLink(root, 'sys/class/block', name);
  const subsystem = /\/nvme-subsystem\/([^/]+)\/[^/]+$/.exec(path ?? '')?.[1];
  return subsystem === undefined ? path : pathOfController(subsystem, root);
}

/** A disk that several controllers may reach (NVMe multipath) belongs to none; with one there is it sits at that. */
function pathOfController(subsystem: string, root: string): string | undefined {
  const at = ['sys/class/nvme-subsystem', subsystem] as const;
  const [controller, another] = listNames(root, ...at).filter(name => /^nvme\d+$/.test(name));
  return controller === undefined || another !== undefined ? undefined : resolveLink(root, ...at, controller);
}

// gnu_dev_major / gnu_dev_minor of glibc, which is what stat gives (the kernel's own encoding is another)
function decodeStatNumber(rdev: number): DeviceNumber {
  const dev = BigInt(rdev);
  return {
    major: Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)),
    minor: Number((dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)),
  };
}
