// Looks for the disk that a person named, and at what is on it. Reads only: it decides nothing.
import { closeSync, openSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { type DiskLook, type FoundDisk, maxDiskNames } from '#core/disk-wish.ts';
import { type BlockDevice, findBlockDevice, nodePath } from '#linux/block.ts';
import { extUuid, readContents } from '#linux/disk-contents.ts';
import { disksNamed, listDisks, namesOf, namesOfDisk } from '#linux/disk-names.ts';
import { listNames, REAL_ROOT } from '#linux/sysfs.ts';
import type { ControlRequest } from '#wire/control.ts';
import { decodeMark } from './left-mark.ts';

const everyMs = 250;
/** Open and nobody else's: linux/fcntl.h. Of a block device it is refused while a file system or a volume has it. */
const exclusively = 0o200;

/** What a mark says, as far as it matters here. */
const MarkSchema = v.object({ osId: v.string() });

/** Once more every now and then until it is there: its driver may have been loaded just now. */
export async function lookForDisk(
  request: Omit<ControlRequest<'diskLook'>, 'osId'> & { readonly osId: string },
  signal: AbortSignal,
): Promise<DiskLook> {
  for (;;) {
    const look = lookOnce(request);
    if (look.matches > 0 || signal.aborted) return look;
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
}

function lookOnce({ osId, disk, place }: ControlRequest<'diskLook'>): DiskLook {
  const names = listDisks()
    .flatMap(each => namesOfDisk(each.name)[0] ?? [])
    .slice(0, maxDiskNames);
  if (disk !== undefined) {
    const matching = disksNamed(disk);
    const [only] = matching;
    return { found: matching.length === 1 && only ? foundDisk(only) : null, matches: matching.length, names };
  }
  const former = place && findBlockDevice(place);
  const was = former && foundDisk(former);
  const isItsOwn = was?.markOf === osId;
  return { found: isItsOwn ? was : null, matches: isItsOwn ? 1 : 0, names };
}

/** All that is to be known of a disk or a partition. @throws the error of reading it */
export function foundDisk(device: BlockDevice): FoundDisk {
  if (!device.place) throw new Error(`${device.name} has no hardware of its own`);
  const { holds, head } = readContents(nodePath(device.name), device.sizeBytes);
  const mark = decodeMark(head);
  return {
    place: device.place,
    name: nameOf(device),
    sizeBytes: device.sizeBytes,
    isReadOnly: device.readOnly,
    sectorBytes: device.logicalBlockBytes,
    use: useOf(device) ?? null,
    holds: holds ?? null,
    fileSystem: extUuid(head) ?? null,
    markOf: mark === undefined ? null : (ownerOf(mark) ?? null),
  };
}

/** With "-part2" behind it for a partition; the kernel's name for a disk that says nothing of itself. */
export const nameOf = (device: BlockDevice): string => namesOf(device)[0] ?? device.name;

function useOf({ name }: BlockDevice): string | undefined {
  try {
    closeSync(openSync(nodePath(name), exclusively));
    return undefined;
  } catch (error) {
    const holders = listNames(REAL_ROOT, 'sys/class/block', name, 'holders');
    if (holders.length > 0) return `it is a part of ${holders.map(each => basename(each)).join(', ')}`;
    if ((error as NodeJS.ErrnoException).code === 'EBUSY')
      return 'it, or a part of it, is mounted or in use otherwise';
    return `it cannot be opened (${error instanceof Error ? error.message : String(error)})`;
  }
}

function ownerOf(mark: string): string | undefined {
  try {
    const told = v.safeParse(MarkSchema, JSON.parse(mark));
    return told.success ? told.output.osId : undefined;
  } catch {
    return undefined;
  }
}
