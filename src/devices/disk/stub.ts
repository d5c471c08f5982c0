// The disk as the OS sees it: a device-mapper device under its root file system. What lies beneath can be exchanged
// while the OS runs: suspend, load another table, resume. Requests made meanwhile wait in the stub. The first sectors are
// hidden: there the disk is marked, and a file system writes all of its first block whenever it writes its superblock. In a
// LUKS container the mark lies elsewhere, and is hidden only while it is there; what comes by is encrypted, and the key stays in
// the OS.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { mirrorRegionBytes, type Segment } from '#core/disk-follow.ts';
import type { RootTrouble } from '#core/root-trouble.ts';
import {
  type BlockDevice,
  type BlockPlace,
  blockDeviceAt,
  describeName,
  dmUuid,
  findBlockDevice,
  nodePath,
} from '#linux/block.ts';
import {
  type DmTarget,
  decodeMirrorStatus,
  encodeSuspend,
  linearTarget,
  mirrorTarget,
  zeroTarget,
} from '#linux/device-mapper.ts';
import { DM_CONTROL_PATH, DmControl } from '#linux/dm-control.ts';
import { devicesBesideRoot, isBehindStub, rootDevice } from '#linux/storage-in-use.ts';
import { SystemError } from '#linux/system-error.ts';
import { ioctlStep, type PlanStep } from '#wire/plan.ts';
import type { MirrorsState } from './follow.ts';
import { markBytes, startOfMark, tryMark } from './left-mark.ts';
import { volumesOn } from './volume.ts';
import { inspectLayer } from './volume-look.ts';

export const rootStub = 'yado-root';

/** Nothing is flushed, for what lies beneath may be away; the file system above is not stopped. */
const quietly = { noFlush: true, skipLockFs: true } as const;

/** A device beneath the stub. */
export interface Beneath {
  readonly major: number;
  readonly minor: number;
}

/**
 * The stub and the one device beneath it, with its place when that can be found again: a disk, a partition, or a linear
 * volume of LVM. Why it cannot move, when it is something else. Undefined when the root file system does not lie on a stub.
 */
export function findStub(
  name = rootStub,
): { stub: BlockDevice; below: BlockDevice; trouble?: RootTrouble } | undefined {
  try {
    const stub = blockDeviceAt(`/dev/mapper/${name}`);
    const [slave, ...more] = stub.slaves;
    if (slave === undefined || more.length > 0) return undefined;
    const { place: _, ...below } = describeName(slave);
    const inspected = inspectBelow(describeName(slave), stub.sizeBytes);
    const { place } = inspected;
    // An encrypted disk can be unlocked past the stub.
    const isPast = name === rootStub && !isBehindStub('/');
    const trouble: RootTrouble | undefined = isPast
      ? { kind: 'bypassed', volume: rootDevice() }
      : inspected.trouble;
    return { stub, below: { ...below, ...(place && { place }) }, ...(trouble && { trouble }) };
  } catch {
    return undefined;
  }
}

/** As `inspectLayer`, of what is beneath a stub of that size, or is used without one. */
export function inspectBelow(below: BlockDevice, stubBytes = 0): ReturnType<typeof inspectLayer> {
  try {
    using dm = new DmControl();
    return inspectLayer(below, stubBytes, { table: name => dm.table(name), volumesOn });
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 256);
    return { trouble: { kind: 'other', volume: below.dmName ?? below.name, reason } };
  }
}

/** True while requests pass the stub to LVM's own device of that volume. */
export function flowsTo(volume: string | undefined, name = rootStub): boolean {
  const found = volume === undefined ? undefined : findStub(name);
  if (!found || dmUuid(found.below.name) !== volume) return false;
  using dm = new DmControl();
  return !dm.device(name).suspended;
}

/** The stub and all that lies beneath it: two disks while one follows. Undefined when there is no stub. */
export function findStubOverAny(name = rootStub): { stub: BlockDevice; below: BlockDevice[] } | undefined {
  try {
    const stub = blockDeviceAt(`/dev/mapper/${name}`);
    return { stub, below: stub.slaves.map(each => describeName(each)) };
  } catch {
    return undefined;
  }
}

/** True while two disks lie beneath the stub. */
export function isStubMirrored(name = rootStub): boolean {
  using dm = new DmControl();
  return dm.table(name).some(each => each.type === 'mirror');
}

/** True when an agent has ended in the middle of exchanging something. */
export function isStubUnfinished(name = rootStub): boolean {
  using dm = new DmControl();
  return dm.device(name).suspended || isStubMirrored(name);
}

/** Of the stub itself. */
export const stubPath = (name = rootStub): string => `/dev/mapper/${name}`;

/** Nothing passes the stub after this step: what programs write waits in memory and moves with the OS. */
export function suspendStep(name = rootStub): PlanStep {
  const { request, buffer } = encodeSuspend(name, quietly);
  return ioctlStep('hold back the writes of the root disk', DM_CONTROL_PATH, request, buffer);
}

/**
 * Puts `device` (major, minor) beneath the stub and lets the waiting requests through. `markStart`: the byte its mark lies at, which
 * the OS is not to see; null where it may see all.
 */
export async function putBeneath(
  device: Beneath,
  sizeBytes: number,
  markStart: number | null = 0,
  name = rootStub,
): Promise<void> {
  using dm = new DmControl();
  try {
    if (markStart === null) dm.loadTable(name, [linearTarget(numberOf(device), sizeBytes / 512)]);
    // Without the module the kernel would call modprobe, which would wait for this very disk.
    else if (!hasHidingModule()) throw new SystemError('load', constants.errno.ENOENT, 'dm_zero');
    else dm.loadTable(name, tableOver(numberOf(device), sizeBytes, markStart));
  } catch (error) {
    // Nor can 1024 bytes be hidden where a sector has more. A mark can then be wiped out; the disk is there all the same.
    if (!(error instanceof SystemError)) throw error;
    dm.loadTable(name, [linearTarget(numberOf(device), sizeBytes / 512)]);
  }
  // Mostly it is held back already. Else a mirror may be there of which one disk has refused something: what waits because of
  // that goes on with the next table, if nothing is flushed.
  if (!dm.device(name).suspended) await dm.suspendLater(name, quietly);
  dm.resume(name);
}

/** Lets the waiting requests through to what lies beneath already; does nothing while none are held back. */
export function letThrough(name = rootStub): void {
  using dm = new DmControl();
  // An agent that ended before it knew whether it was true what it had loaded: the kernel would put that beneath now.
  if (dm.device(name).hasInactiveTable) dm.clearTable(name);
  dm.resume(name);
}

/**
 * Exchanges what lies beneath. In between nothing passes the stub and nothing is under way beneath it; `isTrue` is asked
 * then, and when it says no, or throws, all is as it was. Gives its answer.
 */
export async function exchange(
  targets: readonly DmTarget[],
  isTrue: () => Promise<boolean> = async () => true,
  name = rootStub,
): Promise<boolean> {
  using dm = new DmControl();
  dm.loadTable(name, targets);
  let isNew = false;
  try {
    await dm.suspendLater(name, quietly);
    isNew = await isTrue();
  } finally {
    if (!isNew) dm.clearTable(name);
    dm.resume(name);
  }
  return isNew;
}

/**
 * The table for a disk that follows: `remote` is the old disk, `local` the new one. What is hidden of the old one is of the
 * new one too.
 */
export function tableOf(segments: readonly Segment[], remote: Beneath, local: Beneath): DmTarget[] {
  const shown = segments.map(({ kind, start, bytes }) => {
    const from = Math.max(start, markBytes);
    return { kind, start: from, bytes: start + bytes - from };
  });
  const targets = shown.map(({ kind, start, bytes }) => {
    const [from, count] = [start / 512, bytes / 512];
    const leg = (device: Beneath) => ({ device: numberOf(device), offsetSector: from });
    if (kind === 'remote') return { ...linearTarget(numberOf(remote), count, from), startSector: from };
    const regionSectors = mirrorRegionBytes(bytes) / 512;
    return mirrorTarget(from, count, [leg(remote), leg(local)], regionSectors, kind === 'both');
  });
  return [zeroTarget(markBytes / 512), ...targets];
}

/** What the mirrors beneath the stub say of themselves. @throws FormatError, SystemError */
export function mirrorsState(name = rootStub): MirrorsState {
  using dm = new DmControl();
  const mirrors = dm
    .status(name)
    .filter(each => each.type === 'mirror')
    .map(each => decodeMirrorStatus(each.parameters));
  const isWell = (leg: 0 | 1): boolean => mirrors.every(each => each.isWell[leg]);
  return {
    isCopied: mirrors.every(each => each.equalRegions === each.regions),
    ...(isWell(1) ? !isWell(0) && { failed: 'there' as const } : { failed: 'here' as const }),
  };
}

/** Why the OS cannot move because of what its root file system lies on; undefined when it can, or that is not here. */
export function rootTrouble(): RootTrouble | undefined {
  const beside = devicesBesideRoot();
  if (beside.length === 0) return findStub()?.trouble;
  return { kind: 'spread', volume: rootDevice(), reason: beside.slice(0, 8).join(', ') };
}

/** The disk or partition of this computer that the stub lies on; undefined when it is not here, or would not be found again. */
export function diskBeneath(): BlockDevice | undefined {
  const place = findStub()?.below.place;
  if (!place) return undefined;
  const { volume: _, ...hardware } = place;
  return findBlockDevice(hardware);
}

/** Byte at which what lies beneath the stub here is marked; undefined where it cannot be, or when it is not here. */
export function markStartBeneath(): number | undefined {
  const below = findStub()?.below;
  try {
    return below?.place && startOfMark(nodePath(below.name));
  } catch {
    return undefined;
  }
}

/** Why a disk of this computer cannot be marked beneath the stub; undefined when it can, or is not here. */
export function whyUnmarkable(): string | undefined {
  const below = findStub()?.below;
  if (!below?.place) return undefined; // asking another computer may take for ever
  const { volume, ...hardware } = below.place;
  const found = findBlockDevice(hardware);
  if (volume === undefined ? found?.name !== below.name : found === undefined)
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

export const hasHidingModule = (): boolean => existsSync('/sys/module/dm_zero');

/**
 * Reads of the mark give zeros, writes to it are dropped. With a mark at the beginning it is the same table as
 * packaging/files/initramfs-local-premount makes.
 */
export function tableOver(device: string, sizeBytes: number, markStart = 0): DmTarget[] {
  const [start, hidden] = [markStart / 512, markBytes / 512];
  const behind = start + hidden;
  const rest = { ...linearTarget(device, sizeBytes / 512 - behind, behind), startSector: behind };
  return [
    ...(start > 0 ? [linearTarget(device, start)] : []),
    { ...zeroTarget(hidden), startSector: start },
    rest,
  ];
}

const numberOf = ({ major, minor }: Beneath): string => `${major}:${minor}`;

export type { BlockPlace };
