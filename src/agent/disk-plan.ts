// What is known of the disk before a move after which it is not to stay where it is: what the target says of the disk that
// was named, and what the OS knows itself. Reads only.
import type { Destiny, DiskPlan, DiskWish } from '#core/disk-wish.ts';
import { yadoError } from '#core/errors.ts';
import type { Storage } from '#devices/device.ts';
import { lackOfModule } from '#linux/modules.ts';
import { OS_ROOT } from '#linux/sysfs.ts';
import { ask } from '#managers/control-client.ts';
import { peerOf } from '#managers/location-manager.ts';
import type { MoveRequest } from './source-move.ts';

/** The kernel's part of it (drivers/md/dm-raid1.c). */
export const mirrorModule = 'dm-mirror';
/** Drivers may have to be loaded there, and find their disks. */
const lookMs = 30_000;
/** The OS's own disk may be on another computer. */
const readMs = 10_000;

/** The OS's disk, and the computer that has it. */
export interface StorageAt {
  readonly device: string;
  readonly at: string;
  readonly storage: Storage;
}

export interface DiskRequest {
  readonly wish: DiskWish;
  /** The disk of the target that the settings give to the OS. */
  readonly inSettings: string | undefined;
}

/**
 * Undefined when it is to stay, or is at the target already.
 * @throws YadoError `diskStays`, `diskNotShared`; what the target answers; `diskUnreachable` when the OS's own disk cannot be looked at
 */
export async function planDisk(
  request: MoveRequest,
  mine: StorageAt | undefined,
): Promise<DiskPlan | undefined> {
  const { disk, target, osId, signal } = request;
  // A disk that was reached from both before is so again, when nothing else is said.
  const mode = disk?.wish.mode ?? (mine?.storage.isShared ? 'shared' : 'remote');
  if (mode === 'remote' || !mine || mine.at === target.name) return undefined;
  refuseLayers(mode, mine.storage, target.name);
  const fileSystem = await fileSystemOf(mine, signal);
  const asked = disk?.wish.disk ?? (mode === 'shared' ? mine.storage.name : disk?.inSettings);
  const place = mine.storage.placeAt(target.name);
  const look = await ask(
    peerOf(request, target),
    'diskLook',
    {
      osId,
      ...(asked !== undefined && { disk: asked }),
      ...(place !== undefined && { place }),
    },
    { timeoutMs: lookMs, signal },
  );
  if (!disk && !look.found) return undefined;
  return {
    mode,
    identity: mine.storage.sameness,
    isShared: mine.storage.isShared,
    os: osId,
    asked,
    sizeBytes: mine.storage.sizeBytes,
    fileSystem,
    at: mine.at,
    look,
    lacks: mode === 'follow' ? await lackOfModule(mirrorModule, OS_ROOT) : undefined,
  };
}

/** @throws YadoError `diskStays`, `diskNotShared` */
function refuseLayers(mode: DiskWish['mode'], { isContainer, isVolume }: Storage, computer: string): void {
  if (mode === 'shared' && (isContainer || isVolume))
    throw yadoError('diskNotShared', {
      layer: isContainer ? 'a LUKS container' : 'a volume of LVM',
      computer,
    });
  if (isContainer) throw yadoError('diskStays', { computer });
}

async function fileSystemOf({ device, at, storage }: StorageAt, signal: AbortSignal) {
  return storage.fileSystem(AbortSignal.any([signal, AbortSignal.timeout(readMs)])).catch((error: Error) => {
    signal.throwIfAborted();
    throw yadoError('diskUnreachable', { device, computer: at }, error);
  });
}

/** What the disk is to be told once the OS is there; nothing when it stays. */
export function destinyOf(plan: DiskPlan | undefined, request: MoveRequest): Destiny | undefined {
  const found = plan?.look.found;
  if (!plan || !found) return undefined;
  return {
    mode: plan.mode,
    computer: request.target.name,
    name: found.name,
    place: found.place,
    mayOverwrite: request.acceptRisks.includes('disk-not-empty'),
  };
}
