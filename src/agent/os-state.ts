// Gathers what the OS reports of itself before a move: what is in use that could not come along, or would keep it from
// standing still. Reads only; told to nobody but the person who asks.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeviceStatusTable } from '#core/device-status-table.ts';
import { swapFolder } from '#core/image-room.ts';
import { type OsState, osStateLimits } from '#core/os-state.ts';
import { placeOfArea } from '#devices/disk/left-area.ts';
import { diskBeneath, rootTrouble, whyUnmarkable } from '#devices/disk/stub.ts';
import { bridgeName } from '#devices/network/network.ts';
import { readBridgePorts } from '#linux/bridge-ports.ts';
import { kernelParameter, readCmdline } from '#linux/cmdline.ts';
import { readLackingFacilities } from '#linux/facilities.ts';
import {
  readArmedWatchdogs,
  readCrashKernelBytes,
  readFuseRequests,
  readUsbipDevices,
  readWaitingTasks,
  readWireguard,
} from '#linux/freeze-obstacles.ts';
import { readHeldCards } from '#linux/held-cards.ts';
import { type HeldDisk, heldDisksAmong } from '#linux/held-disks.ts';
import { mountedAt } from '#linux/mount-info.ts';
import { readNetworkRivals } from '#linux/network-rivals.ts';
import { type OpenFiles, readOpenFiles, virtualMachinesAmong } from '#linux/open-files.ts';
import { undrivenByStandby } from '#linux/standby-drivers.ts';
import { readOtherMounts, readSwaps, readZfsMounts } from '#linux/storage-in-use.ts';
import { readSwapRoom } from '#linux/swap-room.ts';
import { REAL_ROOT } from '#linux/sysfs.ts';
import { short } from './capabilities.ts';

/** Whoever waits for a disk that is quick has got its answer by then. */
const betweenLooksMs = 250;

/** @param home the computer it was started on */
export async function gatherOsState(
  home: string,
  table: DeviceStatusTable,
  root = REAL_ROOT,
): Promise<OsState> {
  const { swaps, mounts, tasks, names, heldCards, heldDisks, programs, bridges, undriven } = osStateLimits;
  const open = readOpenFiles(root);
  return {
    home,
    classes: [...new Set(table.map(each => each.class))],
    ports: readBridgePorts(bridgeName, root)
      .slice(0, names)
      .map(({ name, isCard }) => ({ name: short(name), isCard })),
    lacks: readLackingFacilities(root).map(({ facility, reason }) => ({ facility, reason: short(reason) })),
    swaps: readSwaps(root)
      .slice(0, swaps)
      .map(({ path, kind, usedBytes, isDevice, priority }) => {
        const place = kind === 'disk' && isDevice ? placeOfArea(path, root) : undefined;
        return {
          path: short(path),
          kind,
          usedBytes,
          ...(place && { place }),
          ...(priority >= 0 && { priority }),
        };
      }),
    swapping: await readSwapRoom(swapFolder, root),
    mounts: readOtherMounts(root)
      // A disk that the OS has left behind is gone already; it is not to hold the OS up on its way home.
      .filter(({ path }) => mountedAt(path, root)?.isThere !== false)
      .slice(0, mounts)
      .map(({ device, path }) => {
        const place = placeOfArea(device, root);
        return { device: short(device), path: short(path), ...(place && { place }) };
      }),
    unmarkable: short(whyUnmarkable() ?? '') || null,
    rootTrouble: rootTrouble() ?? null,
    undriven: readUndriven(root).slice(0, undriven),
    waitingTasks: (await waitingTasks(root)).slice(0, tasks).map(short),
    fuseRequests: readFuseRequests(root),
    heldCards: readHeldCards(root, open)
      .slice(0, heldCards)
      .map(each => ({
        pciAddress: each.pciAddress,
        bridges: each.bridges.slice(-bridges),
        device: short(each.device),
        programs: each.programs.slice(0, programs).map(short),
      })),
    heldDisks: (await lasting(open, root)).slice(0, heldDisks).map(each => ({
      device: short(each.device),
      programs: each.programs.slice(0, programs).map(short),
    })),
    virtualMachines: virtualMachinesAmong(open, root).slice(0, programs).map(short),
    watchdogs: readArmedWatchdogs(root).slice(0, names).map(short),
    usbipDevices: readUsbipDevices(root),
    zfs: readZfsMounts(root).slice(0, names).map(short),
    wireguard: readWireguard(root).slice(0, names).map(short),
    networkRivals: readNetworkRivals(cardInBridge(root), root)
      .slice(0, programs)
      .map(({ program, unit }) => ({ program: short(program), unit })),
    crashKernelBytes: readCrashKernelBytes(root),
    hasCopiedDsdt: (kernelParameter(readCmdline(root), 'acpi') ?? '').split(',').includes('copy_dsdt'),
  };
}

/** Those that wait now and still do a little later. */
async function waitingTasks(root: string): Promise<string[]> {
  const first = readWaitingTasks(root);
  if (first.length === 0) return [];
  await sleep(betweenLooksMs);
  const still = new Set(readWaitingTasks(root));
  return first.filter(each => still.has(each));
}

/** Held now and still a little later: whoever only looks at a disk (udev, smartd) has closed it by then. */
async function lasting(open: OpenFiles, root: string): Promise<HeldDisk[]> {
  const first = heldDisksAmong(open, root);
  if (first.length === 0) return [];
  await sleep(betweenLooksMs);
  const still = new Set(heldDisksAmong(readOpenFiles(root), root).map(each => each.device));
  return first.filter(each => still.has(each.device));
}

const cardInBridge = (root: string): string | undefined =>
  readBridgePorts(bridgeName, root).find(each => each.isCard)?.name;

/** Of a computer that has the disk of the OS: it becomes a standby behind the OS, which comes home over its card. */
function readUndriven(root: string): OsState['undriven'] {
  const disk = diskBeneath();
  if (!disk) return [];
  const port = cardInBridge(root);
  const lacks = (name: OsState['undriven'][number]['class'], device: string) =>
    undrivenByStandby(device, root).map(({ at, driver }) => ({
      class: name,
      at: short(at),
      driver: short(driver),
    }));
  return [
    ...(port === undefined ? [] : lacks('network', `sys/class/net/${port}`)),
    ...lacks('disk', `sys/class/block/${disk.name}`),
  ];
}
