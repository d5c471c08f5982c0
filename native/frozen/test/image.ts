// A small image as /dev/snapshot gives it, and the stream a source makes of it. Layout: kernel/power/power.h struct
// swsusp_info (one header page), pages of page frame numbers, data pages.

import { encodeFrame } from '#wire/frame.ts';
import {
  frameHeaderBytes,
  frameTypes,
  packedPrologueBytes,
  pageBytes,
  pagesPerFrame,
  pagesPrologueBytes,
  parkPrologueBytes,
} from '#wire/frames.ts';

const endOfFrames = 2n ** 64n - 1n; // what the kernel puts behind the last page frame number

/** The signature of the mailbox page, as native/frozen/claim.c makes it of the token. */
export function mailboxSignature(token: Uint8Array): Buffer {
  return Buffer.from(token.map((byte, index) => byte ^ ((0xa5 + index) & 0xff)));
}

/** A data page with a pattern of its own. */
export function patternPage(number: number): Buffer {
  return Buffer.alloc(pageBytes, `page ${number} `);
}

/** What kernels from 6.6 on add to the number of a page frame when its page, all zeros, is not in the image. */
export const zeroMark = 1n << 63n;

/** What A adds to the number of a page frame that its OS has given up. */
export const givenUpMark = 1n << 62n;

/** Header, list of page frames and data, page by page. `data`: of the frames whose index is not in `marked`. */
export function imagePages(
  pfns: readonly number[],
  data: readonly Buffer[],
  marked: ReadonlySet<number> = new Set(),
  givenUp: ReadonlySet<number> = new Set(),
): Buffer[] {
  const metaCount = Math.ceil(pfns.length / 512);
  const header = Buffer.alloc(pageBytes, 0x48);
  header.writeBigUInt64LE(0xaaaan, 32); // A's e820 checksum
  header.writeBigUInt64LE(0xbbbbn, 400); // A's number of physical pages
  header.writeBigUInt64LE(BigInt(pfns.length - marked.size), 416);
  header.writeBigUInt64LE(BigInt(1 + metaCount + pfns.length - marked.size), 424);
  const meta = Buffer.alloc(metaCount * pageBytes);
  for (let at = 0; at < metaCount * 512; at++) {
    const pfn = pfns[at];
    const mark = (marked.has(at) ? zeroMark : 0n) | (givenUp.has(at) ? givenUpMark : 0n);
    meta.writeBigUInt64LE(pfn === undefined ? endOfFrames : BigInt(pfn) | mark, 8 * at);
  }
  const metaPages = Array.from({ length: metaCount }, (_, index) =>
    meta.subarray(index * pageBytes, (index + 1) * pageBytes),
  );
  return [header, ...metaPages, ...data];
}

/**
 * One `pages` frame; an empty page is left out of it, only its bit says that it is there. A number stands for a page that
 * is parked in that slot.
 */
export function pagesFrame(first: number, pages: readonly (Buffer | number)[]): Buffer {
  const prologue = Buffer.alloc(pagesPrologueBytes);
  prologue.writeUInt32LE(pages.length, 0);
  const set = (bitmapAt: number, index: number): void => {
    const at = bitmapAt + (index >> 3);
    prologue.writeUInt8(prologue.readUInt8(at) | (1 << (index & 7)), at);
  };
  const carried: Buffer[] = [];
  const slots: Buffer[] = [];
  for (const [index, page] of pages.entries()) {
    if (typeof page === 'number') {
      set(8 + pagesPerFrame / 8, index);
      slots.push(u32(page));
    } else if (page.some(byte => byte !== 0)) {
      set(8, index);
      carried.push(page);
    }
  }
  return encodeFrame(frameTypes.pages.number, BigInt(first), Buffer.concat([prologue, ...slots, ...carried]));
}

/** One `park` frame: pages by slot. */
export function parkFrame(parked: readonly (readonly [slot: number, page: Buffer])[]): Buffer {
  const prologue = Buffer.alloc(parkPrologueBytes);
  prologue.writeUInt32LE(parked.length, 0);
  const slots = parked.map(([slot]) => u32(slot));
  const pages = parked.map(([, page]) => page);
  return encodeFrame(frameTypes.park.number, 1n, Buffer.concat([prologue, ...slots, ...pages]));
}

/** A frame in a packed one: an LZ4 block of nothing but literals. `length`: what it says that it holds. */
export function packedFrame(frame: Buffer, length = frame.length - frameHeaderBytes): Buffer {
  const prologue = Buffer.alloc(packedPrologueBytes);
  prologue.writeUInt32LE(frame.readUInt8(3), 0);
  prologue.writeUInt32LE(length, 4);
  const payload = frame.subarray(frameHeaderBytes);
  const rest = payload.length - 15; // in the token, then in bytes of 255 and one that is less
  const sizes = rest < 0 ? [] : [...new Array<number>(Math.floor(rest / 255)).fill(255), rest % 255];
  const token = Buffer.of(Math.min(15, payload.length) << 4, ...sizes);
  return encodeFrame(
    frameTypes.packed.number,
    frame.readBigUInt64LE(8),
    Buffer.concat([prologue, token, payload]),
  );
}

/** One `tags` frame: tags that are told from slot `first` on. */
export const tagsFrame = (first: number, tags: readonly Uint8Array[]): Buffer =>
  encodeFrame(frameTypes.tags.number, BigInt(first), Buffer.concat(tags));

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** All frames of an image between BEGIN and GO. */
export function streamOf(pages: readonly (Buffer | number)[], perFrame = pagesPerFrame): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < pages.length; at += perFrame)
    frames.push(pagesFrame(at, pages.slice(at, at + perFrame)));
  return [...frames, encodeFrame(frameTypes.end.number, BigInt(pages.length))];
}
