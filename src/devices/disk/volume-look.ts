// What lies beneath the stub when that is neither a disk nor a partition: a linear volume of LVM on one disk can be found again
// by who has no LVM; anything else has a name, and the OS cannot move. What the kernel says and what LVM has written on the disk
// have to agree. Looks only.
import { basename } from 'node:path';
import type { RootTrouble, RootTroubleKind } from '#core/root-trouble.ts';
import { type BlockDevice, describe, describeName, dmUuid } from '#linux/block.ts';
import type { DmTarget } from '#linux/device-mapper.ts';
import { areSameParts, partsOfTable, sizeOfParts } from '#linux/dm-parts.ts';
import type { LvmVolume } from '#linux/lvm-metadata.ts';
import { REAL_ROOT } from '#linux/sysfs.ts';

/** What is asked: the kernel for tables, disks for their volumes. */
export interface VolumeFacts {
  /** The live table of a device-mapper device. */
  readonly table: (dmName: string) => readonly DmTarget[];
  /** @throws FormatError, or the error of reading */
  readonly volumesOn: (disk: BlockDevice) => readonly LvmVolume[];
  /** Where /sys is. */
  readonly root?: string;
}

/** What the kernel's uuid of a device says of who has made it, where that is not LVM. */
const makers: readonly (readonly [RegExp, RootTroubleKind])[] = [
  [/^CRYPT-/, 'encrypted'],
  [/^mpath-/, 'multipath'],
  [/^DMRAID-/, 'raid'],
];

/** By the beginning of the type of a target that is not linear. */
const targets: readonly (readonly [RegExp, RootTroubleKind])[] = [
  [/^striped$/, 'striped'],
  [/^(mirror|raid)/, 'mirrored'],
  [/^thin/, 'thin'],
  [/^(cache|writecache)$/, 'cached'],
  [/^snapshot/, 'snapshot'],
  [/^crypt$/, 'encrypted'],
  [/^multipath$/, 'multipath'],
];

/** `uuid` of a volume of LVM that programs use; those that LVM has for itself have something behind it. */
export const isVolume = (uuid: string | undefined): uuid is string => /^LVM-[\w!#]{64}$/.test(uuid ?? '');

/**
 * The place of what lies right beneath a stub of that size, as far as it is known, and why it cannot move. With neither it is
 * something that has no hardware here, such as a disk of another computer.
 */
export function inspectLayer(
  below: BlockDevice,
  stubBytes: number,
  facts: VolumeFacts,
): { readonly place?: BlockDevice['place']; readonly trouble?: RootTrouble } {
  const root = facts.root ?? REAL_ROOT;
  if (below.slaves.length === 0) return below.place ? { place: below.place } : {};
  const uuid = dmUuid(below.name, root);
  const [leaf, ...leaves] = leavesOf(below, root);
  const trouble = troubleOf(below, uuid, stubBytes, facts, root);
  const place =
    isVolume(uuid) && leaves.length === 0 && leaf?.place ? { ...leaf.place, volume: uuid } : undefined;
  return {
    ...(place && { place }),
    ...(trouble && { trouble: { ...trouble, volume: nameOfLayer(below, uuid) } }),
  };
}

type Found = Omit<RootTrouble, 'volume'>;

function troubleOf(
  below: BlockDevice,
  uuid: string | undefined,
  stubBytes: number,
  { table, volumesOn }: VolumeFacts,
  root: string,
): Found | undefined {
  const { dmName } = below;
  if (dmName === undefined) return strange(below.name);
  const maker = makers.find(([pattern]) => pattern.test(uuid ?? ''));
  if (maker) return { kind: maker[1] };
  if (!isVolume(uuid)) return strange(uuid || dmName);
  const lies = partsOfTable(table(dmName));
  if ('type' in lies) {
    const known = targets.find(([pattern]) => pattern.test(lies.type));
    return known ? { kind: known[1] } : { kind: 'other', reason: `device-mapper ${lies.type}`.slice(0, 256) };
  }
  if ('devices' in lies) return { kind: 'severalDisks' };
  const disk = describe(numberIn(lies.device), root);
  if (disk.slaves.length > 0) return layerBelow(disk, root);
  if (!disk.place) return { kind: 'homeless' };
  let volume: LvmVolume | undefined;
  try {
    volume = volumesOn(disk).find(each => each.uuid === uuid);
  } catch (error) {
    return {
      kind: 'unreadable',
      reason: (error instanceof Error ? error.message : String(error)).slice(0, 256),
    };
  }
  if (!volume) return { kind: 'unlike' };
  if (typeof volume.lies === 'string') return { kind: volume.lies };
  if (!areSameParts(volume.lies, lies.parts)) return { kind: 'unlike' };
  return sizeOfParts(lies.parts) < stubBytes ? { kind: 'small' } : undefined;
}

/** Of what a volume lies on that is no hardware. */
function layerBelow(disk: BlockDevice, root: string): Found {
  const uuid = dmUuid(disk.name, root) ?? '';
  const maker = makers.find(([pattern]) => pattern.test(uuid));
  if (maker) return { kind: maker[1] };
  if (/-pvmove\d/.test(disk.dmName ?? '')) return { kind: 'moving' };
  return strange(disk.dmName ?? disk.name);
}

const strange = (name: string): Found =>
  /^md/.test(name) ? { kind: 'raid' } : { kind: 'other', reason: name.slice(0, 256) };

/** What has nothing beneath it any more, each once. */
function leavesOf(device: BlockDevice, root: string): BlockDevice[] {
  if (device.slaves.length === 0) return [device];
  const all = device.slaves.flatMap(each => leavesOf(describeName(basename(each), root), root));
  return [...new Map(all.map(each => [each.name, each])).values()];
}

/** "crab/root" as LVM's tools take it; dashes in names are doubled in the kernel's. */
function nameOfLayer({ dmName, name }: BlockDevice, uuid: string | undefined): string {
  if (dmName === undefined) return name;
  if (!isVolume(uuid)) return dmName;
  const found = /^((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(dmName);
  return found ? `${found[1]}/${found[2]}`.replaceAll('--', '-') : dmName;
}

/** "254:2" */
function numberIn(text: string) {
  const [major, minor] = text.split(':').map(Number);
  return { major: major ?? 0, minor: minor ?? 0 };
}
