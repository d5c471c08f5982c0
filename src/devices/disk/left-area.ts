// An area of a disk, a partition or a volume that the OS uses besides its root, for swap: where it is, and the same one again when
// the OS is back at the computer that has it.
import { basename } from 'node:path';
import { type BlockDevice, type BlockPlace, describeName, findBlockDevice } from '#linux/block.ts';
import { REAL_ROOT } from '#linux/sysfs.ts';
import { attachHere } from './driver.ts';
import { inspectBelow } from './stub.ts';
import { findHome } from './volume.ts';

/** Undefined for what would not be found again: a disk of another computer, a RAID, a volume that is not linear. */
export function placeOfArea(path: string, root = REAL_ROOT): BlockPlace | undefined {
  try {
    const area = describeName(basename(path), root);
    if (area.slaves.length > 0) {
      const { place, trouble } = inspectBelow(area);
      return trouble ? undefined : place;
    }
    // Of two disks that cannot be told from each other it would be found as neither.
    return area.place && findBlockDevice(area.place, root)?.name === area.name ? area.place : undefined;
  } catch {
    return undefined;
  }
}

/** Waits for a disk that is just being found. @throws Error when it is not there, YadoError `volumeUnfit` */
export const areaAt = (place: BlockPlace, signal: AbortSignal): Promise<BlockDevice> =>
  attachHere(place, findHome, signal);
