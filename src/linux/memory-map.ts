// A computer's physical memory as the kernel describes it: usable page ranges, page count and e820 checksum.
// Parsers are pure; read… functions take them from this computer and need root (/proc/iomem hides addresses else).
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { DeviceRange, RamRange } from '#core/capabilities.ts';
import { subtractRanges } from '#core/ram-ranges.ts';
import { listNames, REAL_ROOT, readText, requireText } from '#linux/sysfs.ts';
import { FormatError } from '#linux/system-error.ts';

export const PAGE_BYTES = 4096;

/** One top-level line of /proc/iomem; `end` included, bytes. */
export interface MemoryRegion {
  readonly start: bigint;
  readonly end: bigint;
  readonly name: string;
}

/** Entry of the firmware's table; `end` included, bytes. `type` as text from sysfs ("System RAM"), or `keptRam`. */
export interface FirmwareRegion {
  readonly start: bigint;
  readonly end: bigint;
  readonly type: string;
}

/**
 * What a kernel started by kexec finds where the one before had something of its boot loader, as the ROMs of cards with UEFI: RAM for
 * every purpose but the checksum. In sysfs it is called as the rest of RAM (E820_TYPE_RESERVED_KERN).
 */
const keptRam = 'System RAM, kept';
const keptRamType = 128;

/** Offsets in struct boot_params (Documentation/arch/x86/zero-page.rst): e820_entries, e820_table. */
const bootTable = { countAt: 0x1e8, at: 0x2d0, entryBytes: 20 };

// e820_type_to_string() in arch/x86/kernel/e820.c; other types are printed "Unknown E820 type" and ambiguous
const E820_TYPES: Readonly<Record<string, number>> = {
  'System RAM': 1,
  [keptRam]: keptRamType,
  Reserved: 2,
  'ACPI Tables': 3,
  'ACPI Non-volatile Storage': 4,
  'Unusable memory': 5,
  'Persistent Memory': 7,
  'Persistent Memory (legacy)': 12,
  'Soft Reserved': 0xefff_ffff,
};

/** Top-level regions in order. @throws FormatError for bad lines, or when addresses are hidden (not root) */
export function parseIomem(text: string): MemoryRegion[] {
  const regions: MemoryRegion[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith(' ')) continue; // indented: part of the region above
    const found = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.*)$/.exec(line);
    if (found === null) throw new FormatError('/proc/iomem', `line ${JSON.stringify(line)}`);
    regions.push({ start: BigInt(`0x${found[1]}`), end: BigInt(`0x${found[2]}`), name: found[3] ?? '' });
  }
  if (regions.length > 1 && regions.every(region => region.end === 0n)) {
    throw new FormatError('/proc/iomem', 'addresses are hidden; this needs root');
  }
  return regions;
}

/** Registers that no card has: those of the chipset and of the processors. */
const CHIPSET = /^(IOAPIC|HPET|Local APIC|PCI MMCONFIG|PCI ECAM|dmar)/;
const CARD = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

/**
 * Where hardware answers, pages rounded outwards: cards by their PCI address, the windows from which they get their places
 * ("PCI Bus 0000:00", those of the root only, without what is reserved in them), the chipset. Lines that are none are
 * skipped.
 */
export function parseDeviceRanges(text: string): DeviceRange[] {
  const page = BigInt(PAGE_BYTES);
  const lines = text.split('\n').flatMap(line => {
    const [, indent, start, end, name = ''] =
      /^( *)([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.*)$/.exec(line) ?? [];
    if (end === undefined) return [];
    const startPfn = Number(BigInt(`0x${start}`) / page);
    const endPfn = Number(BigInt(`0x${end}`) / page) + 1;
    const isWindow = indent === '' && name.startsWith('PCI Bus');
    return startPfn < endPfn && Number.isSafeInteger(endPfn) ? [{ name, startPfn, endPfn, isWindow }] : [];
  });
  const reserved = lines.filter(each => each.name === 'Reserved');
  return lines.flatMap(({ isWindow, ...range }) => {
    if (isWindow) return subtractRanges([range], reserved).map(part => ({ name: range.name, ...part }));
    return CHIPSET.test(range.name) || CARD.test(range.name) ? [range] : [];
  });
}

export function readDeviceRanges(root = REAL_ROOT): DeviceRange[] {
  return parseDeviceRanges(requireText(root, 'proc/iomem'));
}

/** Whole pages inside "System RAM" regions only (not "System RAM (kmem)", not persistent memory), ascending. */
export function systemRamPages(regions: readonly MemoryRegion[]): RamRange[] {
  const page = BigInt(PAGE_BYTES);
  return joined(regions.filter(region => region.name === 'System RAM'))
    .map(({ start, end }) => ({
      startPfn: Number((start + page - 1n) / page),
      endPfn: Number((end + 1n) / page),
    }))
    .filter(range => range.endPfn > range.startPfn);
}

/** Ascending, neighbours as one: a kernel started by kexec cuts RAM in the middle of a page, where its parameters lie. */
function joined(regions: readonly MemoryRegion[]): Pick<MemoryRegion, 'start' | 'end'>[] {
  const all: { start: bigint; end: bigint }[] = [];
  for (const { start, end } of regions.toSorted((a, b) => (a.start < b.start ? -1 : 1))) {
    const last = all.at(-1);
    if (!last || start > last.end + 1n) all.push({ start, end });
    else if (end > last.end) last.end = end;
  }
  return all;
}

/** Present pages of all zones: what the kernel's get_num_physpages() gives. @throws FormatError */
export function parsePresentPages(zoneinfo: string): number {
  const counts = [...zoneinfo.matchAll(/^\s+present\s+(\d+)$/gm)].map(match => Number(match[1]));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) throw new FormatError('/proc/zoneinfo', 'no present pages');
  return total;
}

/** compute_e820_crc32() of arch/x86/power/hibernate.c over e820_table_firmware. @throws FormatError */
export function e820Checksum(regions: readonly FirmwareRegion[]): number {
  const table = Buffer.alloc(4 + 20 * regions.length);
  table.writeUInt32LE(regions.length, 0);
  for (const [i, region] of regions.entries()) {
    const type = E820_TYPES[region.type];
    if (type === undefined)
      throw new FormatError('firmware memory map', `unknown type ${JSON.stringify(region.type)}`);
    if (region.end < region.start)
      throw new FormatError('firmware memory map', `entry ${i} ends before it starts`);
    table.writeBigUInt64LE(region.start, 4 + 20 * i);
    table.writeBigUInt64LE(BigInt.asUintN(64, region.end - region.start + 1n), 12 + 20 * i);
    table.writeUInt32LE(type, 20 + 20 * i);
  }
  return crc32(table);
}

export function readIomem(root = REAL_ROOT): MemoryRegion[] {
  return parseIomem(requireText(root, 'proc/iomem'));
}

export function readPresentPages(root = REAL_ROOT): number {
  return parsePresentPages(requireText(root, 'proc/zoneinfo'));
}

/** /sys/firmware/memmap in the order of the firmware's table. @throws FormatError when absent */
export function readFirmwareMap(root = REAL_ROOT): FirmwareRegion[] {
  const directory = join(root, 'sys/firmware/memmap');
  const names = listNames(directory);
  if (names.length === 0) throw new FormatError('firmware memory map', `nothing in ${directory}`);
  const kept = keptRamStarts(root);
  return names.map(name => {
    const field = (file: string) => readText(directory, name, file) ?? '';
    const [start, end] = [field('start'), field('end')];
    if (!/^0x[0-9a-f]+$/.test(start) || !/^0x[0-9a-f]+$/.test(end)) {
      throw new FormatError('firmware memory map', `entry ${name}: ${start}-${end}`);
    }
    const type = field('type');
    return {
      start: BigInt(start),
      end: BigInt(end),
      type: type === 'System RAM' && kept.has(BigInt(start)) ? keptRam : type,
    };
  });
}

/** Where kept RAM begins, by what the boot loader has told this kernel. */
function keptRamStarts(root: string): Set<bigint> {
  const path = join(root, 'sys/kernel/boot_params/data');
  const parameters = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const { countAt, at, entryBytes } = bootTable;
  const count = parameters[countAt] ?? 0;
  const starts = new Set<bigint>();
  for (
    let entry = at;
    entry < at + count * entryBytes && entry + entryBytes <= parameters.length;
    entry += entryBytes
  )
    if (parameters.readUInt32LE(entry + 16) === keptRamType) starts.add(parameters.readBigUInt64LE(entry));
  return starts;
}
