// What is known of the disk before a move after which it is not to stay where it is: what the target says of the disk that
// was named, and what the OS knows itself. Reads only.
import type { Destiny, DiskPlan, DiskWish, FoundDisk } from '#core/disk-wish.ts';
import { yadoError } from '#core/errors.ts';
import type { Storage } from '#devices/device.ts';
import { lackOfModule } from '#linux/modules.ts';
import { OS_ROOT } from '#linux/sysfs.ts';
import { ask } from '#managers/control-client.ts';
import { peerOf } from '#managers/location-manager.ts';
import { encodeMarkText } from './ghost-state.ts';
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
  /** The target is the computer the OS was started on. */
  readonly isHome: boolean;
}

/**
 * Undefined when it is to stay, or is at the target already.
 * @throws YadoError what the target answers; `diskUnreachable`, `followFailed` when the OS's own disk cannot be looked at
 */
export async function planDisk(
  request: MoveRequest,
  mine: StorageAt | undefined,
): Promise<DiskPlan | undefined> {
  const { disk, target, here, osId, signal } = request;
  if (!disk || disk.wish.mode === 'remote' || !mine || mine.at === target.name) return undefined;
  const { mode } = disk.wish;
  const fileSystem = await fileSystemOf(mine, signal);
  const own = mode === 'shared' && mine.at === here.name ? lookAt(mine) : undefined;
  const asked = disk.wish.disk ?? disk.inSettings ?? own?.name;
  const place = mode === 'follow' ? mine.storage.placeAt(target.name) : undefined;
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
  return {
    mode,
    os: osId,
    asked,
    sizeBytes: mine.storage.sizeBytes,
    fileSystem,
    at: mine.at,
    isVolume: mine.storage.isVolume,
    mine: own,
    look,
    lacks: mode === 'follow' ? await lackOfModule(mirrorModule, OS_ROOT) : undefined,
  };
}

async function fileSystemOf({ device, at, storage }: StorageAt, signal: AbortSignal) {
  return storage.fileSystem(AbortSignal.any([signal, AbortSignal.timeout(readMs)])).catch((error: Error) => {
    signal.throwIfAborted();
    throw yadoError('diskUnreachable', { device, computer: at }, error);
  });
}

function lookAt({ device, storage }: StorageAt): FoundDisk | undefined {
  try {
    return storage.look();
  } catch (error) {
    throw yadoError(
      'followFailed',
      { device, reason: error instanceof Error ? error.message : String(error) },
      error,
    );
  }
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
    isHome: request.disk?.isHome === true,
  };
}

/** What is put on a disk that several computers reach while the OS uses it from another one than it was started on. */
export function markOfShared(
  plan: DiskPlan | undefined,
  { osId, epoch, disk, here }: MoveRequest,
): string | undefined {
  if (plan?.mode !== 'shared' || disk?.isHome) return undefined;
  const { name, address } = here;
  return encodeMarkText({ osId, epoch, behind: [], state: 'left', computer: { name, address } });
}
