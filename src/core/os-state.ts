// What an OS reports of itself before a move, besides the hardware: what is in use that could not come along or would keep
// it from standing still. Only the OS's own agent sees this; it is never told to another computer. Pure.

import * as v from 'valibot';
import { deviceClassNames } from './device-class.ts';
import { BlockPlaceSchema } from './disk-wish.ts';
import { RootTroubleSchema } from './root-trouble.ts';
import { Count, PciAddress, Short } from './shapes.ts';

/** Parts of the kernel that a move or a stub needs and that are tried out, by what they are for. */
export const facilityNames = ['nbd', 'kcore', 'kexec', 'uinput', 'cuse'] as const;
export type FacilityName = (typeof facilityNames)[number];

/** memory: zram; stub: on the disk that Yadokari serves everywhere; disk: on one that stays where it is. */
export const swapKinds = ['memory', 'stub', 'disk'] as const;

export const osStateLimits = {
  swaps: 64,
  mounts: 256,
  tasks: 32,
  names: 64,
  heldCards: 64,
  heldDisks: 64,
  programs: 8,
  undriven: 16,
  bridges: 16,
} as const;

export const OsStateSchema = v.strictObject({
  /** The computer it was started on. */
  home: Short,
  /** Classes of the devices in the device status table. */
  classes: v.pipe(v.array(v.picklist(deviceClassNames)), v.maxLength(deviceClassNames.length)),
  /** What is in the bridge with the OS's addresses; empty when there is no such bridge, or nothing in it. */
  ports: v.pipe(
    v.array(
      v.strictObject({
        name: Short,
        /** Hardware, and nothing that the kernel or a program has made. */
        isCard: v.boolean(),
      }),
    ),
    v.maxLength(osStateLimits.names),
  ),
  /** What does not work, with the reason. */
  lacks: v.pipe(
    v.array(v.strictObject({ facility: v.picklist(facilityNames), reason: Short })),
    v.maxLength(facilityNames.length),
  ),
  swaps: v.pipe(
    v.array(
      v.strictObject({
        path: Short,
        kind: v.picklist(swapKinds),
        usedBytes: Count,
        /** Where it is on a disk that stays, and is found again; absent when nothing would find it. */
        place: v.exactOptional(BlockPlaceSchema),
        /** As swapon takes it; absent when the kernel has chosen. */
        priority: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(32767))),
      }),
    ),
    v.maxLength(osStateLimits.swaps),
  ),
  /** What could be swapped out before a move. */
  swapping: v.strictObject({
    /** Free in swap areas that go with the OS; 0 when the kernel would fill others first that are in memory. */
    freeBytes: Count,
    /** So large could a new swap file be, and why there can be none. */
    fileBytes: Count,
    noFile: v.nullable(Short),
    /** Memory of programs that is not in the swap yet. */
    swappableBytes: Count,
    /** Why nothing can be swapped out before a move. */
    obstacle: v.nullable(Short),
  }),
  /** File systems on disks that are not behind a stub. */
  mounts: v.pipe(
    v.array(
      v.strictObject({
        device: Short,
        path: Short,
        /** Where it is found again; absent when nothing would find it. */
        place: v.exactOptional(BlockPlaceSchema),
      }),
    ),
    v.maxLength(osStateLimits.mounts),
  ),
  /** Why the disk under the stub cannot bear the mark of an OS that has left; null when it can, or is elsewhere. */
  unmarkable: v.nullable(Short),
  /** Why what lies beneath the stub cannot move; null when it can, is elsewhere, or there is no stub. */
  rootTrouble: v.nullable(RootTroubleSchema),
  /** While the disk is at this computer: what a standby in the place of this OS would have no driver for on the way to it. */
  undriven: v.pipe(
    v.array(
      v.strictObject({
        class: v.picklist(['network', 'disk']),
        /** "0000:02:00.0" */
        at: Short,
        /** The one that it has here. */
        driver: Short,
      }),
    ),
    v.maxLength(osStateLimits.undriven),
  ),
  /** Programs that wait in the kernel and hear no signal: "cp (pid 812)". */
  waitingTasks: v.pipe(v.array(Short), v.maxLength(osStateLimits.tasks)),
  /** Requests that a file system in user space (FUSE) has not answered. */
  fuseRequests: Count,
  /** Cards whose driver lets go of them only when these programs have closed their files. */
  heldCards: v.pipe(
    v.array(
      v.strictObject({
        pciAddress: PciAddress,
        /** The bridges before it, which take it along when they are taken away. */
        bridges: v.pipe(v.array(PciAddress), v.maxLength(osStateLimits.bridges)),
        /** One of its files that is open: "/dev/snd/controlC0". */
        device: Short,
        /** "pipewire (pid 812)" */
        programs: v.pipe(v.array(Short), v.maxLength(osStateLimits.programs)),
      }),
    ),
    v.maxLength(osStateLimits.heldCards),
  ),
  /** Disks, partitions and volumes that stay and that programs have open by themselves. */
  heldDisks: v.pipe(
    v.array(
      v.strictObject({
        device: Short,
        programs: v.pipe(v.array(Short), v.maxLength(osStateLimits.programs)),
      }),
    ),
    v.maxLength(osStateLimits.heldDisks),
  ),
  /** Programs that run a virtual machine of KVM: "qemu-system-x86 (pid 812)". */
  virtualMachines: v.pipe(v.array(Short), v.maxLength(osStateLimits.programs)),
  /** Hardware watchdogs that are armed. */
  watchdogs: v.pipe(v.array(Short), v.maxLength(osStateLimits.names)),
  /** USB devices of other computers, attached by usbip. */
  usbipDevices: Count,
  /** Where file systems of ZFS are mounted. */
  zfs: v.pipe(v.array(Short), v.maxLength(osStateLimits.names)),
  /** Network interfaces of WireGuard. */
  wireguard: v.pipe(v.array(Short), v.maxLength(osStateLimits.names)),
  /** Services that take network cards for theirs: "NetworkManager (pid 812)", and what stops them. */
  networkRivals: v.pipe(
    v.array(v.strictObject({ program: Short, unit: Short })),
    v.maxLength(osStateLimits.programs),
  ),
  /** Set aside for a crash kernel (`crashkernel=`). */
  crashKernelBytes: Count,
  /** Started with `acpi=copy_dsdt`. */
  hasCopiedDsdt: v.boolean(),
});
export type OsState = Readonly<v.InferOutput<typeof OsStateSchema>>;

export type SwapInUse = Readonly<OsState['swaps'][number]>;
/** One that is switched off while the OS is elsewhere, and on again when it is back. */
export type SwapThatStays = SwapInUse & Required<Pick<SwapInUse, 'place'>>;

export const swapsThatStay = (swaps: readonly SwapInUse[]): SwapThatStays[] =>
  swaps.filter((each): each is SwapThatStays => each.kind === 'disk' && each.place !== undefined);

export type MountInUse = Readonly<OsState['mounts'][number]>;
/** One that is mounted anew when the OS is back. */
export type MountThatStays = MountInUse & Required<Pick<MountInUse, 'place'>>;

/** Mount points that nothing needs but an update of the kernel or the boot loader. */
const bootFolders = /^\/(boot|efi)(\/|$)/;
export const isForBooting = ({ path }: Pick<MountInUse, 'path'>): boolean => bootFolders.test(path);

export const mountsThatStay = (mounts: readonly MountInUse[]): MountThatStays[] =>
  mounts.filter((each): each is MountThatStays => each.place !== undefined);
