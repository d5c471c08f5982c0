// Why an OS cannot move because of what its root file system lies on, though the stub is there. One row per reason: the
// sentence, and what to type. Pure.
import * as v from 'valibot';
import { Short } from './shapes.ts';

interface Trouble {
  /** Goes on after "The root file system cannot move: ". `{volume}`, `{reason}` are replaced. */
  readonly what: string;
  readonly hint: string;
}

const copyIt =
  'only a disk, a partition or a linear volume of LVM on one disk can move: copy the root file system to one, or let this OS stay';

export const rootTroubles = {
  striped: { what: 'the volume {volume} is striped', hint: copyIt },
  mirrored: {
    what: 'the volume {volume} is mirrored, or another RAID of LVM',
    hint: 'lvconvert -m0 {volume} leaves one half of a mirror; from another RAID copy it to a linear volume',
  },
  thin: { what: 'the volume {volume} lies in a thin pool', hint: copyIt },
  cached: { what: 'the volume {volume} has a cache', hint: 'lvconvert --uncache {volume}' },
  snapshot: {
    what: 'the volume {volume} has a snapshot, or is one',
    hint: 'lvs -o lv_name,origin; then for each snapshot of it: lvremove',
  },
  moving: {
    what: 'the volume {volume} is just being moved to another disk (pvmove)',
    hint: 'wait until it is done (lvs -a -o name,copy_percent), or: pvmove --abort',
  },
  severalDisks: {
    what: 'the volume {volume} lies on several disks or partitions',
    hint: 'bring it to one: pvmove -n {volume} <from> <to>; then: systemctl restart yadod',
  },
  spread: {
    what: 'its btrfs also lies on {reason}, beside {volume}',
    hint: 'btrfs device remove, for each of these others, with / as the file system',
  },
  encrypted: {
    what: '{volume} is encrypted above its volume, or was unlocked without the stub beneath it ({reason})',
    hint: 'one LUKS container on a disk or partition can move: update-initramfs -u, then restart this computer, and read what it says about the stub',
  },
  bypassed: {
    what: 'its root file system is mounted from {volume}, which does not lie on the stub',
    hint: 'update-initramfs -u, then restart this computer',
  },
  raid: { what: '{volume} lies on a software RAID', hint: copyIt },
  multipath: { what: '{volume} is reached by several ways (multipath)', hint: copyIt },
  unlike: {
    what: 'the kernel has {volume} at another place than LVM has written on the disk',
    hint: 'lvchange --refresh {volume}; then look at it: dmsetup table, pvs --segments',
  },
  unreadable: {
    what: 'what LVM has written on the disk of {volume} cannot be used: {reason}',
    hint: 'vgck --verbose; pvs -o name,pv_mda_used_count',
  },
  small: {
    what: 'the volume {volume} has become smaller than the file system on it was',
    hint: 'make it as large as it was before anything else is written: lvextend {volume}',
  },
  homeless: { what: 'no PCI hardware is found beneath {volume}', hint: copyIt },
  other: { what: '{volume} is of a kind that is not known here ({reason})', hint: copyIt },
} as const satisfies Readonly<Record<string, Trouble>>;

export type RootTroubleKind = keyof typeof rootTroubles;
export const rootTroubleKinds = Object.keys(rootTroubles) as RootTroubleKind[];

export const RootTroubleSchema = v.strictObject({
  kind: v.picklist(rootTroubleKinds),
  /** "crab/root" for a volume of LVM, else the kernel's name. */
  volume: Short,
  reason: v.exactOptional(Short),
});
export type RootTrouble = Readonly<v.InferOutput<typeof RootTroubleSchema>>;

/** As a part of a sentence, and what to do. */
export function describeRootTrouble({ kind, volume, reason = 'no more is known' }: RootTrouble): Trouble {
  const filled = (text: string): string => text.replaceAll('{volume}', volume).replaceAll('{reason}', reason);
  const { what, hint } = rootTroubles[kind];
  return { what: filled(what), hint: filled(hint) };
}
