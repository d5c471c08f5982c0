// What a person may want of the disk when the OS moves (`yado migrate --disk=…`), and what a computer says of a disk that it
// was asked about. Pure.
import * as v from 'valibot';
import { Count, Short } from './shapes.ts';

/**
 * remote: it stays and is used over the network; follow: afterwards it is copied to a disk of the target, which then is the
 * OS's disk; shared: the target reaches the same disk, and afterwards uses it by itself.
 */
export const diskModes = ['remote', 'follow', 'shared'] as const;
export type DiskMode = (typeof diskModes)[number];

export const BlockPlaceSchema = v.strictObject({
  pciAddress: v.pipe(v.string(), v.maxLength(256)),
  /** Written by agents that did not know the identity yet, and believed by nobody: which comes first differs from start to start. */
  unit: v.exactOptional(v.number()),
  identity: v.exactOptional(v.pipe(v.string(), v.maxLength(64))),
  partition: v.exactOptional(v.number()),
  volume: v.exactOptional(v.pipe(v.string(), v.regex(/^LVM-[\w!#]{64}$/))),
});

export type BlockPlace = v.InferOutput<typeof BlockPlaceSchema>;

/** The same for the same disk or partition wherever it is reached; undefined for a disk that says nothing of itself. */
export const sameness = ({ identity, partition }: BlockPlace): string | undefined =>
  identity === undefined ? undefined : `${identity} ${partition ?? ''}`;

/** As a person names it: a path below /dev/disk/by-id, the last part of one, or a serial number. */
export const DiskNameSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(200));

export const DiskWishSchema = v.strictObject({
  mode: v.picklist(diskModes),
  /** Not said: the one that the settings name, or the one that the OS had there before. */
  disk: v.exactOptional(DiskNameSchema),
});
export type DiskWish = Readonly<v.InferOutput<typeof DiskWishSchema>>;

/** A disk or a partition. */
export const FoundDiskSchema = v.strictObject({
  place: BlockPlaceSchema,
  /** "virtio-4711": the first of its names. */
  name: Short,
  sizeBytes: Count,
  isReadOnly: v.boolean(),
  /** The least it reads or writes. */
  sectorBytes: Count,
  /** "/srv is mounted from it"; null when nothing uses it. */
  use: v.nullable(Short),
  /** "a file system (ext4)"; null when its beginning and its end are zero. */
  holds: v.nullable(Short),
  /** The OS whose mark is on it: it was left by that OS, or is a copy of a disk that was. */
  markOf: v.nullable(Short),
  /** UUID of the file system (ext4) on it. */
  fileSystem: v.nullable(Short),
});
export type FoundDisk = Readonly<v.InferOutput<typeof FoundDiskSchema>>;

export const maxDiskNames = 32;
/** `names`: of all disks there, for a person to choose from. */
export const DiskLookSchema = v.strictObject({
  found: v.nullable(FoundDiskSchema),
  /** How many disks answer to the name; more than one is none. */
  matches: Count,
  names: v.pipe(v.array(Short), v.maxLength(maxDiskNames)),
});
export type DiskLook = Readonly<v.InferOutput<typeof DiskLookSchema>>;

/**
 * True for a disk that the OS has left, or that is a copy of its own: it bears the mark of an OS of that id, and on it is the
 * OS's own file system. Other OSs may have the same id.
 */
export const isOwnOf = (disk: FoundDisk, os: string, fileSystem: string | undefined): boolean =>
  disk.markOf === os && disk.fileSystem !== null && disk.fileSystem === fileSystem;

/** What is to become of the OS's disk at the computer it has come to: a disk of that computer. */
export const DestinySchema = v.strictObject({
  mode: v.picklist(['follow', 'shared']),
  computer: v.string(),
  /** Of the disk, as that computer calls it. */
  name: v.string(),
  place: BlockPlaceSchema,
  /** A person has said that what is on it may be lost. */
  mayOverwrite: v.boolean(),
});
export type Destiny = Readonly<v.InferOutput<typeof DestinySchema>>;

/** What is known before a move whose disk is to follow, or is shared. */
export interface DiskPlan {
  readonly mode: Destiny['mode'];
  /** What the OS's disk says of itself, where one can tell it from others; with the number of a partition. */
  readonly identity: string | undefined;
  /** It is shared already, and a person has answered for that. */
  readonly isShared: boolean;
  /** Id of the OS. */
  readonly os: string;
  /** As it was named; undefined: the one the OS had there before. */
  readonly asked: string | undefined;
  /** Of the OS's disk. */
  readonly sizeBytes: number;
  /** UUID of its file system, when that has one that is known here. */
  readonly fileSystem: string | undefined;
  /** The computer that has it now. */
  readonly at: string;
  readonly look: DiskLook;
  /** Why the kernel of the OS cannot mirror disks; undefined when it can, or need not. */
  readonly lacks: string | undefined;
}
