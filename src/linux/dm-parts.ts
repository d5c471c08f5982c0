// Volumes that are nothing but pieces of one disk, one behind the other: device-mapper's linear targets. Pure.
import type { DmTarget } from '#linux/device-mapper.ts';

/** A piece, in sectors of 512 bytes. */
export interface VolumePart {
  /** Where it begins in the volume. */
  readonly startSector: number;
  readonly sectorCount: number;
  /** Where it begins on the disk. */
  readonly diskSector: number;
}

/** What a table is made of: pieces of one device ("254:2"), joined; or why it is not that. */
export type TableParts =
  | { readonly device: string; readonly parts: readonly VolumePart[] }
  | { readonly type: string }
  | { readonly devices: readonly string[] };

/** A table from the kernel, in its order. Another target than linear gives its type, more than one device all of them. */
export function partsOfTable(targets: readonly DmTarget[]): TableParts {
  const pieces: (VolumePart & { device: string })[] = [];
  let next = 0;
  for (const { startSector, sectorCount, type, parameters } of targets) {
    const found = /^(\d+:\d+) (\d+)$/.exec(parameters);
    if (type !== 'linear' || !found?.[1]) return { type };
    const diskSector = Number(found[2]);
    if (startSector !== next || sectorCount <= 0 || !Number.isSafeInteger(diskSector)) return { type };
    next = startSector + sectorCount;
    pieces.push({ startSector, sectorCount, diskSector, device: found[1] });
  }
  const devices = [...new Set(pieces.map(each => each.device))];
  const [device] = devices;
  if (device === undefined || devices.length > 1) return { devices };
  return { device, parts: joinedParts(pieces) };
}

/** Pieces that lie behind each other on the disk too, as one. */
export function joinedParts(parts: readonly VolumePart[]): VolumePart[] {
  const joined: VolumePart[] = [];
  for (const { startSector, sectorCount, diskSector } of parts) {
    const last = joined.at(-1);
    if (last && last.diskSector + last.sectorCount === diskSector)
      joined[joined.length - 1] = { ...last, sectorCount: last.sectorCount + sectorCount };
    else joined.push({ startSector, sectorCount, diskSector });
  }
  return joined;
}

/** Both joined. */
export const areSameParts = (a: readonly VolumePart[], b: readonly VolumePart[]): boolean =>
  a.length === b.length &&
  a.every((each, index) => {
    const other = b[index];
    return (
      each.startSector === other?.startSector &&
      each.sectorCount === other.sectorCount &&
      each.diskSector === other.diskSector
    );
  });

/** The table of such a volume over a device ("254:2"). */
export const tableOfParts = (device: string, parts: readonly VolumePart[]): DmTarget[] =>
  parts.map(({ startSector, sectorCount, diskSector }) => ({
    startSector,
    sectorCount,
    type: 'linear',
    parameters: `${device} ${diskSector}`,
  }));

export const sizeOfParts = (parts: readonly VolumePart[]): number =>
  parts.reduce((sum, each) => sum + each.sectorCount, 0) * 512;
