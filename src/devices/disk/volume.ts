// Volumes of LVM, found again by who has none of LVM's tools. What serves a volume makes a device of its pieces for itself:
// nothing was ever read through that, so it remembers nothing that is out of date. The OS gives its own device, which the stub
// lies on and which LVM knows, the disk that was found again. A wrong list of pieces would destroy what is on the disk: unless
// all that is known agrees, nothing is made.
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type YadoError, yadoError } from '#core/errors.ts';
import {
  type BlockDevice,
  type BlockPlace,
  describeName,
  findBlockDevice,
  findDmDevice,
  nodePath,
} from '#linux/block.ts';
import { readDirect } from '#linux/direct-read.ts';
import { DmControl } from '#linux/dm-control.ts';
import { areSameParts, partsOfTable, tableOfParts, type VolumePart } from '#linux/dm-parts.ts';
import { type LvmVolume, readLvmVolumes } from '#linux/lvm-metadata.ts';
import { FormatError } from '#linux/system-error.ts';
import { decodeMark, markBytes } from './left-mark.ts';

/** All volumes that the group on a disk has. @throws FormatError, or the error of reading */
export const volumesOn = ({ name, sizeBytes }: BlockDevice): LvmVolume[] =>
  readLvmVolumes((start, bytes) => readDirect(nodePath(name), start, bytes), sizeBytes);

/** A volume that an OS has left a mark on. Disks without LVM, or with one that cannot be read, have none. */
export function findMarkedVolume(disk: BlockDevice): { uuid: string; mark: string } | undefined {
  try {
    for (const { uuid, lies } of volumesOn(disk)) {
      const mark = typeof lies === 'string' ? undefined : markAt(disk, lies);
      if (mark !== undefined) return { uuid, mark };
    }
  } catch {
    // Whatever it is, it is nothing that was ever marked: that takes a description that can be read.
  }
  return undefined;
}

function markAt(disk: BlockDevice, parts: readonly VolumePart[]): string | undefined {
  const [first] = parts;
  if (!first || first.sectorCount * 512 < markBytes) return undefined;
  return decodeMark(readDirect(nodePath(disk.name), first.diskSector * 512, markBytes));
}

/** A volume on the disk that has been found again. */
interface Lying {
  readonly disk: BlockDevice;
  /** "crab/root" */
  readonly name: string;
  readonly parts: readonly VolumePart[];
}

/** Undefined while the disk is not there. @throws YadoError `volumeUnfit`; the error of reading */
function whereLies({ volume = '', ...place }: BlockPlace): Lying | undefined {
  const disk = findBlockDevice(place);
  if (!disk) return undefined;
  const found = knownOn(disk).find(each => each.uuid === volume);
  if (!found) throw unfit({ disk, name: volume.slice(-32) }, 'LVM has no such volume there any more');
  const { name, lies } = found;
  if (typeof lies === 'string')
    throw unfit({ disk, name }, `it is no linear volume there any more (${lies})`);
  return { disk, name, parts: lies };
}

/** As `volumesOn`. @throws YadoError `volumeUnfit` when what is there cannot be believed */
function knownOn(disk: BlockDevice): LvmVolume[] {
  try {
    return volumesOn(disk);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw unfit({ disk, name: 'of the OS' }, error.message);
  }
}

const unfit = ({ disk, name }: Pick<Lying, 'disk' | 'name'>, reason: string): YadoError =>
  yadoError('volumeUnfit', { volume: name, place: disk.place?.pciAddress ?? disk.name, reason });

const numberOf = ({ major, minor }: BlockDevice): string => `${major}:${minor}`;

/** Names of the devices that servers make. Not those of LVM: it would take them for its own. */
const servedUuid = (volume: string): string => `YADO-LEFT-${volume}`;
const servedName = (volume: string): string => `left-${volume.slice(-32)}`;

/**
 * For who serves it: what sits at `place`. Undefined while it is not there.
 * @throws YadoError `volumeUnfit` saying why a volume is not what it was; SystemError of device-mapper
 */
export function findServed(place: BlockPlace): BlockDevice | undefined {
  const { volume } = place;
  if (volume === undefined) return findBlockDevice(place);
  const lying = whereLies(place);
  if (!lying) return undefined;
  using dm = new DmControl();
  // The kernel that the OS has just left still has the OS's own, over a disk that is gone.
  const ofOs = findDmDevice(volume);
  if (ofOs) refuseUnlike(dm, ofOs, lying);
  else if (markAt(lying.disk, lying.parts) === undefined)
    throw unfit(lying, 'where it begins there is no mark of an OS that has left');
  const there = findDmDevice(servedUuid(volume));
  if (there?.dmName !== undefined) {
    const table = partsOfTable(dm.table(there.dmName));
    const isIt =
      'parts' in table && table.device === numberOf(lying.disk) && areSameParts(table.parts, lying.parts);
    if (isIt && !dm.device(there.dmName).suspended) return { ...there, place };
    dm.remove(there.dmName); // of a move that was rolled back
  }
  return { ...make(dm, servedName(volume), servedUuid(volume), lying), place };
}

function make(dm: DmControl, name: string, uuid: string, { disk, parts }: Lying): BlockDevice {
  const { minor } = dm.create(name, uuid);
  try {
    dm.loadTable(name, tableOfParts(numberOf(disk), parts));
    dm.resume(name);
  } catch (error) {
    dm.remove(name);
    throw error;
  }
  return describeName(`dm-${minor}`);
}

/**
 * For the OS, which has LVM's device of a volume: that device lies on the disk at `place` when this returns. Undefined while
 * the disk is not there.
 * @throws YadoError `volumeUnfit` saying why a volume is not what it was; SystemError of device-mapper
 */
export function findHome(place: BlockPlace): BlockDevice | undefined {
  const { volume } = place;
  if (volume === undefined) return findBlockDevice(place);
  const lying = whereLies(place);
  if (!lying) return undefined;
  const { disk, parts } = lying;
  const mine = findDmDevice(volume);
  if (mine?.dmName === undefined) throw unfit(lying, `it is not active (lvchange -ay ${lying.name})`);
  using dm = new DmControl();
  const device = refuseUnlike(dm, mine, lying);
  if (device !== numberOf(disk)) {
    if (existsSync(`/sys/dev/block/${device}`))
      throw unfit(lying, `the kernel has it on another disk now (${device}, not ${disk.name})`);
    dm.loadTable(mine.dmName, tableOfParts(numberOf(disk), parts));
    dm.suspend(mine.dmName, { noFlush: true, skipLockFs: true });
    dm.resume(mine.dmName);
  } else if (dm.device(mine.dmName).suspended) dm.resume(mine.dmName); // by an agent that ended just there
  return { ...mine, place };
}

/**
 * For the OS, at home: what a ghost has made whose move was rolled back is not needed any more. Udev may be just looking at
 * it. Never rejects: it would hold a disk, and nothing else, and the next ghost takes it away.
 */
export async function dropServed({ volume }: BlockPlace): Promise<void> {
  for (let tries = 0; volume !== undefined && tries < 20; tries++) {
    try {
      const left = findDmDevice(servedUuid(volume));
      if (left?.dmName === undefined) return;
      using dm = new DmControl();
      dm.remove(left.dmName);
      return;
    } catch {
      await sleep(500, undefined, { ref: false });
    }
  }
}

/** The number of the device that the OS's own lies on. @throws YadoError `volumeUnfit` when LVM has written other pieces */
function refuseUnlike(dm: DmControl, { dmName = '' }: BlockDevice, lying: Lying): string {
  const table = partsOfTable(dm.table(dmName));
  if ('parts' in table && areSameParts(table.parts, lying.parts)) return table.device;
  throw unfit(lying, 'LVM has written there that it lies elsewhere than the kernel has it');
}
