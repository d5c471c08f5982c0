// The stream of /dev/snapshot: header page and lists of page frame numbers (kernel/power/power.h, snapshot.c;
// on x86-64 arch/x86/power/hibernate.c lays its record over the start of the header). Pure.
// Bytes may come from another computer: everything is checked before it is believed.
import type { RamRange } from '#core/capabilities.ts';
import { C, OFFSET } from '#linux/abi.ts';
import { PAGE_BYTES } from '#linux/memory-map.ts';
import { FormatError } from '#linux/system-error.ts';

/** Of struct restore_data_record: offset and value of its magic number, offset of the e820 checksum. */
export const RESTORE_RECORD = { magicAt: 24, magic: 0x2345_6789_abcd_ef02n, e820ChecksumAt: 32 } as const;
/** Where B's own values must be put, bytes from the start of the header page. */
export const HEADER_PATCH = {
  e820ChecksumAt: RESTORE_RECORD.e820ChecksumAt,
  presentPagesAt: OFFSET['struct swsusp_info'].num_physpages,
} as const;

/** The ioctls of /dev/snapshot, for plans and the helper's generated header. */
export const SNAPSHOT_IOCTL = {
  freeze: C.SNAPSHOT_FREEZE,
  unfreeze: C.SNAPSHOT_UNFREEZE,
  atomicRestore: C.SNAPSHOT_ATOMIC_RESTORE,
  free: C.SNAPSHOT_FREE,
  getImageSize: C.SNAPSHOT_GET_IMAGE_SIZE,
  platformSupport: C.SNAPSHOT_PLATFORM_SUPPORT,
  createImage: C.SNAPSHOT_CREATE_IMAGE,
  prefImageSize: C.SNAPSHOT_PREF_IMAGE_SIZE,
} as const;

/** Kernel 6.6+ marks all-zero pages, which have no data page, with this bit of their number. */
export const ZERO_PAGE_BIT = 1n << 63n;

const FIELD = OFFSET['struct swsusp_info'];
const NUMBERS_PER_PAGE = PAGE_BYTES / 8;
const LIST_END = 0xffff_ffff_ffff_ffffn;
const MAX_PAGES = 2 ** 40; // 4 PiB: beyond any x86-64 memory

/** Page counts; the stream is header, `metadataPages`, `dataPages`. */
export interface ImageHeader {
  readonly e820Checksum: number;
  readonly presentPages: number;
  readonly dataPages: number;
  readonly metadataPages: number;
  readonly totalPages: number;
}

/** A page frame in stream order; `zero`: all zero and without data page. */
export interface ImagePage {
  readonly pageFrame: number;
  readonly zero: boolean;
}

/** @throws FormatError when it is no header of an x86-64 image */
export function parseImageHeader(page: Uint8Array): ImageHeader {
  if (page.length !== PAGE_BYTES) throw broken(`header of ${page.length} bytes`);
  const bytes = Buffer.from(page.buffer, page.byteOffset, page.byteLength);
  if (bytes.readBigUInt64LE(RESTORE_RECORD.magicAt) !== RESTORE_RECORD.magic)
    throw broken('wrong magic number');
  const count = (at: number, name: string) => {
    const value = bytes.readBigUInt64LE(at);
    if (value > BigInt(MAX_PAGES)) throw broken(`${name} is ${value}`);
    return Number(value);
  };
  const presentPages = count(FIELD.num_physpages, 'number of pages present');
  const dataPages = count(FIELD.image_pages, 'number of data pages');
  const totalPages = count(FIELD.pages, 'number of pages');
  const metadataPages = totalPages - dataPages - 1;
  // A page of metadata names at most 512 pages; zero pages may be named without data.
  if (metadataPages < 1 || dataPages > metadataPages * NUMBERS_PER_PAGE) {
    throw broken(`${totalPages} pages with ${dataPages} data pages`);
  }
  return {
    e820Checksum: bytes.readUInt32LE(RESTORE_RECORD.e820ChecksumAt),
    presentPages,
    dataPages,
    metadataPages,
    totalPages,
  };
}

/** A copy of the header with the values that B's kernel compares with its own. */
export function patchImageHeader(
  page: Uint8Array,
  own: { readonly e820Checksum: number; readonly presentPages: number },
): Uint8Array {
  parseImageHeader(page);
  const copy = Buffer.from(page);
  copy.writeBigUInt64LE(BigInt(own.e820Checksum), HEADER_PATCH.e820ChecksumAt);
  copy.writeBigUInt64LE(BigInt(own.presentPages), HEADER_PATCH.presentPagesAt);
  return copy;
}

/**
 * All pages named by the metadata, in stream order.
 * @throws FormatError when numbers do not ascend, anything follows the end mark, or counts contradict the header
 */
export function parseMetadata(header: ImageHeader, metadata: Uint8Array): ImagePage[] {
  if (metadata.length !== header.metadataPages * PAGE_BYTES)
    throw broken(`metadata of ${metadata.length} bytes`);
  const bytes = Buffer.from(metadata.buffer, metadata.byteOffset, metadata.byteLength);
  const pages: ImagePage[] = [];
  let withData = 0;
  let last = -1;
  for (let at = 0; at < bytes.length; at += 8) {
    const value = bytes.readBigUInt64LE(at);
    if (value === LIST_END) {
      if (bytes.length - at > PAGE_BYTES) throw broken('the list of pages ends too early');
      break;
    }
    const zero = (value & ZERO_PAGE_BIT) !== 0n;
    const number = value & ~ZERO_PAGE_BIT;
    if (number > BigInt(MAX_PAGES)) throw broken(`page frame ${number}`);
    const pageFrame = Number(number);
    if (pageFrame <= last) throw broken(`page frame ${pageFrame} after ${last}`);
    last = pageFrame;
    if (!zero) withData++;
    pages.push({ pageFrame, zero });
  }
  if (withData !== header.dataPages)
    throw broken(`${withData} pages are listed, ${header.dataPages} promised`);
  return pages;
}

/** The inverse of parseMetadata's walk: `pages` as metadata pages with end mark. */
export function encodeMetadata(pages: readonly ImagePage[]): Uint8Array {
  const bytes = Buffer.alloc(Math.ceil(pages.length / NUMBERS_PER_PAGE) * PAGE_BYTES);
  for (const [i, page] of pages.entries()) {
    bytes.writeBigUInt64LE(BigInt(page.pageFrame) | (page.zero ? ZERO_PAGE_BIT : 0n), i * 8);
  }
  if (pages.length * 8 < bytes.length) bytes.writeBigUInt64LE(LIST_END, pages.length * 8);
  return bytes;
}

/** The first page frame outside `ranges` (ascending), or undefined when all may be written. */
export function firstPageOutside(
  pages: readonly ImagePage[],
  ranges: readonly RamRange[],
): number | undefined {
  let at = 0;
  for (const { pageFrame } of pages) {
    while (at < ranges.length && pageFrame >= (ranges[at]?.endPfn ?? 0)) at++;
    const range = ranges[at];
    if (range === undefined || pageFrame < range.startPfn) return pageFrame;
  }
  return undefined;
}

function broken(problem: string): FormatError {
  return new FormatError('memory image', problem);
}
