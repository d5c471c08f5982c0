// The volumes of LVM on a disk, from what LVM has written at its beginning (lib/label and lib/format_text of lvm2): for who
// has none of LVM's tools, and to be sure of what the kernel says. Reads through a function; writes nothing. Every checksum
// is looked at: where a volume lies wrongly read, the data of others would be overwritten.
import { crc32 } from 'node:zlib';
import type { RootTroubleKind } from '#core/root-trouble.ts';
import { joinedParts, type VolumePart } from '#linux/dm-parts.ts';
import { type LvmSection, type LvmValue, parseLvmText } from '#linux/lvm-text.ts';
import { FormatError } from '#linux/system-error.ts';

/** So many bytes from that byte on. @throws the error of reading */
export type ReadAt = (start: number, bytes: number) => Buffer;

/** Why a volume is more than a row of pieces of this disk. */
export type VolumeTrouble = Extract<
  RootTroubleKind,
  'striped' | 'mirrored' | 'thin' | 'cached' | 'snapshot' | 'moving' | 'severalDisks' | 'other'
>;

export interface LvmVolume {
  /** As the kernel's device-mapper knows it: "LVM-", that of the group, that of the volume, without dashes. */
  readonly uuid: string;
  /** Its name there: "crab-root". */
  readonly dmName: string;
  /** "crab/root" */
  readonly name: string;
  /** Where on the disk it lies, joined, in the order of the volume; or why that cannot be said. */
  readonly lies: readonly VolumePart[] | VolumeTrouble;
}

const sectorBytes = 512;
const label = { magic: 'LABELONE', type: 'LVM2 001', crcFrom: 20, sectors: 4 } as const;
const headerMagic = Buffer.from('\x20LVM2\x20x[5A%r0N*>', 'latin1');
/** Of a metadata area: its header, and the most that is read of its text. */
const headerBytes = 512;
const mostTextBytes = 8 * 2 ** 20;
const mostAreas = 16;
/** raw_locn.flags: what is there is out of date on purpose. */
const ignoredFlag = 1;

/**
 * The volumes that the group on this disk has, wherever they lie; none when no LVM is on it. `diskBytes`: size of the disk or
 * partition. @throws FormatError when what is there cannot be believed, or the error of reading
 */
export function readLvmVolumes(read: ReadAt, diskBytes: number): LvmVolume[] {
  const disk = readLabel(read);
  if (!disk) return [];
  const texts = disk.areas.flatMap(area => readText(read, area, diskBytes) ?? []);
  const [text, ...others] = texts;
  if (text === undefined)
    throw broken('its group is not described on this disk (pvs -o name,pv_mda_used_count)');
  if (others.some(each => each !== text)) throw broken('its two descriptions on this disk differ');
  return volumesOf(parseLvmText(text), disk.uuid, diskBytes);
}

interface Area {
  readonly start: number;
  readonly bytes: number;
}

/** struct label_header and struct pv_header. */
function readLabel(read: ReadAt): { uuid: string; areas: Area[] } | undefined {
  const head = read(0, label.sectors * sectorBytes);
  for (let number = 0; number < label.sectors; number++) {
    const sector = head.subarray(number * sectorBytes, (number + 1) * sectorBytes);
    if (sector.toString('latin1', 0, 8) !== label.magic) continue;
    if (sector.toString('latin1', 24, 32) !== label.type) continue;
    if (sector.readBigUInt64LE(8) !== BigInt(number))
      throw broken('its label lies in another sector than it says');
    if (sector.readUInt32LE(16) !== lvmCrc(sector.subarray(label.crcFrom)))
      throw broken('its label is damaged');
    const at = sector.readUInt32LE(20);
    if (at < 32 || at + 40 > sectorBytes) throw broken('its label is damaged');
    const lists = areaLists(sector.subarray(at + 40));
    return { uuid: sector.toString('latin1', at, at + 32), areas: lists[1] };
  }
  return undefined;
}

/** Two lists of areas, each with an empty one at its end: of data, and of descriptions. */
function areaLists(bytes: Buffer): [Area[], Area[]] {
  const lists: [Area[], Area[]] = [[], []];
  let which: 0 | 1 = 0;
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const start = safe(bytes.readBigUInt64LE(at));
    if (start !== 0) lists[which].push({ start, bytes: safe(bytes.readBigUInt64LE(at + 8)) });
    else if (which === 1) return lists;
    else which = 1;
    if (lists[which].length > mostAreas) break;
  }
  throw broken('its label has no end');
}

/** struct mda_header; the text is a ring behind it. Undefined when this area is not used. */
function readText(read: ReadAt, area: Area, diskBytes: number): string | undefined {
  if (area.bytes <= headerBytes || area.start + area.bytes > diskBytes)
    throw broken('a description beyond the end');
  const header = read(area.start, headerBytes);
  if (!header.subarray(4, 20).equals(headerMagic)) throw broken('a description has no header');
  if (header.readUInt32LE(0) !== lvmCrc(header.subarray(4)))
    throw broken('the header of a description is damaged');
  const isItself =
    safe(header.readBigUInt64LE(24)) === area.start && safe(header.readBigUInt64LE(32)) === area.bytes;
  if (header.readUInt32LE(20) !== 1 || !isItself) throw broken('a description is not where it says');
  const [offset, bytes] = [safe(header.readBigUInt64LE(40)), safe(header.readBigUInt64LE(48))];
  if (offset === 0 || (header.readUInt32LE(60) & ignoredFlag) !== 0) return undefined;
  const isInside = offset >= headerBytes && offset < area.bytes && bytes <= area.bytes - headerBytes;
  if (!isInside || bytes > mostTextBytes) throw broken('a description is larger than its place');
  const first = Math.min(bytes, area.bytes - offset);
  const text = Buffer.concat([
    read(area.start + offset, first),
    ...(first < bytes ? [read(area.start + headerBytes, bytes - first)] : []),
  ]);
  if (header.readUInt32LE(56) !== lvmCrc(text)) throw broken('a description is damaged');
  const end = text.indexOf(0);
  return text.toString('utf8', 0, end < 0 ? text.length : end);
}

function volumesOf(text: LvmSection, diskUuid: string, diskBytes: number): LvmVolume[] {
  const [[groupName, group] = [], ...more] = text.sections;
  if (groupName === undefined || !group || more.length > 0)
    throw broken('it is not one group that is described');
  const groupUuid = uuidOf(group);
  const extentSectors = positive(group.values.get('extent_size'), 'extent_size');
  const disks = [...(group.sections.get('physical_volumes')?.sections ?? [])];
  const [diskName, disk] = disks.find(([, each]) => uuidOf(each) === diskUuid) ?? [];
  if (diskName === undefined || !disk) throw broken('its group does not know this disk');
  const lvs = [...(group.sections.get('logical_volumes')?.sections ?? [])];
  const origins = new Set(lvs.flatMap(([, each]) => segmentsOf(each).map(one => one.values.get('origin'))));
  const firstSector = count(disk.values.get('pe_start'), 'pe_start');
  const extents = positive(disk.values.get('pe_count'), 'pe_count');
  if ((firstSector + extents * extentSectors) * sectorBytes > diskBytes)
    throw broken('it is larger than its disk');
  return lvs.map(([name, volume]) => ({
    uuid: `LVM-${groupUuid}${uuidOf(volume)}`,
    dmName: `${mangled(groupName)}-${mangled(name)}`,
    name: `${groupName}/${name}`,
    lies: origins.has(name)
      ? 'snapshot'
      : partsOf(volume, {
          diskName,
          disks: disks.map(([each]) => each),
          firstSector,
          extents,
          extentSectors,
        }),
  }));
}

interface Extents {
  readonly diskName: string;
  /** Of all disks of the group. */
  readonly disks: readonly string[];
  readonly firstSector: number;
  readonly extents: number;
  readonly extentSectors: number;
}

function partsOf(volume: LvmSection, on: Extents): VolumePart[] | VolumeTrouble {
  const segments = segmentsOf(volume);
  if (segments.length === 0 || segments.length !== volume.values.get('segment_count'))
    throw broken('a volume has other pieces than it says');
  const parts: VolumePart[] = [];
  let next = 0;
  for (const segment of segments) {
    const trouble = troubleOf(segment, on);
    if (trouble) return trouble;
    const start = count(segment.values.get('start_extent'), 'start_extent');
    const extents = positive(segment.values.get('extent_count'), 'extent_count');
    const [, first] = segment.values.get('stripes') as readonly LvmValue[];
    const at = count(first, 'stripes');
    if (start !== next || at + extents > on.extents) throw broken('a volume has a piece that cannot be');
    next = start + extents;
    parts.push({
      startSector: start * on.extentSectors,
      sectorCount: extents * on.extentSectors,
      diskSector: on.firstSector + at * on.extentSectors,
    });
  }
  return joinedParts(parts);
}

/** By the beginning of the type of a segment. */
const troublesByType: readonly (readonly [RegExp, VolumeTrouble])[] = [
  [/^(mirror|raid)/, 'mirrored'],
  [/^thin/, 'thin'],
  [/^(cache|writecache)/, 'cached'],
  [/^snapshot/, 'snapshot'],
];

function troubleOf({ values }: LvmSection, { diskName, disks }: Extents): VolumeTrouble | undefined {
  const type = values.get('type');
  if (type !== 'striped')
    return troublesByType.find(([pattern]) => typeof type === 'string' && pattern.test(type))?.[1] ?? 'other';
  const stripes = values.get('stripes');
  if (values.get('stripe_count') !== 1) return 'striped';
  if (!Array.isArray(stripes) || stripes.length !== 2) throw broken('a piece of a volume lies nowhere');
  const [where] = stripes as readonly LvmValue[];
  if (where === diskName) return undefined;
  if (typeof where === 'string' && /^pvmove\d/.test(where)) return 'moving';
  return typeof where === 'string' && disks.includes(where) ? 'severalDisks' : 'other';
}

const segmentsOf = (volume: LvmSection): LvmSection[] =>
  [...volume.sections]
    .filter(([name]) => /^segment\d+$/.test(name))
    .map(([name, section]) => ({ number: Number(name.slice(7)), section }))
    .toSorted((a, b) => a.number - b.number)
    .map(each => each.section);

function uuidOf({ values }: LvmSection): string {
  const id = values.get('id');
  const uuid = typeof id === 'string' ? id.replaceAll('-', '') : '';
  if (!/^[\w!#]{32}$/.test(uuid)) throw broken('something has no id');
  return uuid;
}

/** As libdevmapper does: a dash stands between the names of group and volume. */
const mangled = (name: string): string => name.replaceAll('-', '--');

function count(value: LvmValue | undefined, what: string): number {
  if (typeof value !== 'number' || value < 0) throw broken(`${what} is no number`);
  return value;
}

function positive(value: LvmValue | undefined, what: string): number {
  const number = count(value, what);
  if (number === 0) throw broken(`${what} is 0`);
  return number;
}

/** calc_crc() of lvm2 with its own beginning (lib/misc/crc.h), and nothing turned at the end. */
function lvmCrc(bytes: Buffer): number {
  return (crc32(bytes, (0xf597a6cf ^ 0xffffffff) >>> 0) ^ 0xffffffff) >>> 0;
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(`byte ${value}`);
  return Number(value);
}

const broken = (problem: string): FormatError => new FormatError('LVM', problem);
