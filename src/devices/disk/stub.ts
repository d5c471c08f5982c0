// The disk as the OS sees it: a device-mapper device under its root file system. What lies beneath can be exchanged
// while the OS runs: suspend, load another table, resume. Requests made meanwhile wait in the stub. The first sectors are
// hidden: there the disk is marked, and a file system writes all of its first block whenever it writes its superblock.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import {
  type BlockDevice,
  type BlockPlace,
  blockDeviceAt,
  deviceRightBelow,
  findBlockDevice,
  nodePath,
} from '#linux/block.ts';
import { type DmTarget, encodeSuspend, linearTarget, zeroTarget } from '#linux/device-mapper.ts';
import { DM_CONTROL_PATH, DmControl } from '#linux/dm-control.ts';
import { SystemError } from '#linux/system-error.ts';
import { ioctlStep, type PlanStep } from '#wire/plan.ts';
import { markBytes, tryMark } from './left-mark.ts';

export const rootStub = 'yado-root';

/**
 * The stub and the disk or partition beneath it; undefined when the root file system does not lie on a stub, or the stub on
 * something else, as a volume of LVM: of that only a part would be served.
 */
export function findStub(name = rootStub): { stub: BlockDevice; below: BlockDevice } | undefined {
  try {
    const stub = blockDeviceAt(`/dev/mapper/${name}`);
    const below = deviceRightBelow(stub.name);
    return below && { stub, below };
  } catch {
    return undefined;
  }
}

/** Nothing passes the stub after this step: what programs write waits in memory and moves with the OS. */
export function suspendStep(name = rootStub): PlanStep {
  const { request, buffer } = encodeSuspend(name, { noFlush: true, skipLockFs: true });
  return ioctlStep('hold back the writes of the root disk', DM_CONTROL_PATH, request, buffer);
}

/** Puts `device` (major, minor) beneath the stub and lets the waiting requests through. */
export function putBeneath(
  device: { major: number; minor: number },
  sizeBytes: number,
  name = rootStub,
): void {
  using dm = new DmControl();
  const number = `${device.major}:${device.minor}`;
  try {
    // Without the module the kernel would call modprobe, which would wait for this very disk.
    if (!hasHidingModule()) throw new SystemError('load', constants.errno.ENOENT, 'dm_zero');
    dm.loadTable(name, tableOver(number, sizeBytes));
  } catch (error) {
    // Nor can 1024 bytes be hidden where a sector has more. A mark can then be wiped out; the disk is there all the same.
    if (!(error instanceof SystemError)) throw error;
    dm.loadTable(name, [linearTarget(number, sizeBytes / 512)]);
  }
  dm.resume(name);
}

/** Lets the waiting requests through to what lies beneath already; does nothing while none are held back. */
export function letThrough(name = rootStub): void {
  using dm = new DmControl();
  dm.resume(name);
}

/** Why a disk of this computer cannot be marked beneath the stub; undefined when it can, or is not here. */
export function whyUnmarkable(): string | undefined {
  const below = findStub()?.below;
  if (!below?.place) return undefined; // asking another computer may take for ever
  if (findBlockDevice(below.place)?.name !== below.name)
    return 'behind its controller are more disks, which cannot be told from each other';
  if (!hasHidingModule())
    return 'the kernel has no dm_zero (modprobe dm_zero), with which the mark is hidden from the OS';
  if (below.logicalBlockBytes > markBytes) return `its sectors have ${below.logicalBlockBytes} bytes`;
  try {
    tryMark(nodePath(below.name));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const hasHidingModule = (): boolean => existsSync('/sys/module/dm_zero');

/** The same table as packaging/files/initramfs-local-premount makes: reads of the mark give zeros, writes to it are dropped. */
export function tableOver(device: string, sizeBytes: number): DmTarget[] {
  const hidden = markBytes / 512;
  const rest = { ...linearTarget(device, sizeBytes / 512 - hidden, hidden), startSector: hidden };
  return [zeroTarget(hidden), rest];
}

export type { BlockPlace };
