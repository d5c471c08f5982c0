// /proc/kcore: physical memory as the kernel sees it, an ELF core file. Here only its headers are read, to learn where in
// the file which page frames are; the frozen helper reads the memory itself. Absent or forbidden (lockdown) is no error.
// fs/proc/kcore.c: RAM and kernel text have a physical address, vmalloc, modules and vmemmap have -1; the text comes twice.
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { RamRange } from '#core/capabilities.ts';
import { subtractRanges } from '#core/ram-ranges.ts';
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import { PAGE_BYTES } from '#linux/memory-map.ts';
import { REAL_ROOT } from '#linux/sysfs.ts';
import { FormatError } from '#linux/system-error.ts';

/**
 * Page frames that follow each other in memory and in the file; `offset` is that of the first of them, bytes. It comes from
 * a kernel address, up to 2^56.
 */
export interface MemoryPiece extends RamRange {
  readonly offset: bigint;
}

const ELF_MAGIC = 0x464c457f;
const NO_ADDRESS = 0xffff_ffff_ffff_ffffn;
const MAX_SEGMENTS = 4096;
const MAX_FRAME = 1n << 40n;
const MAX_OFFSET = 1n << 61n;
const PAGE = BigInt(PAGE_BYTES);

/** How many bytes from the beginning of the file hold all headers. @throws FormatError when it is no ELF core file */
export function headersLength(start: Buffer): number {
  const at = OFFSET.Elf64_Ehdr;
  if (start.length < SIZE.Elf64_Ehdr || start.readUInt32LE(0) !== ELF_MAGIC) throw broken('no ELF file');
  const count = start.readUInt16LE(at.e_phnum);
  if (start.readUInt16LE(at.e_phentsize) !== SIZE.Elf64_Phdr) throw broken('other program headers');
  const offset = start.readBigUInt64LE(at.e_phoff);
  if (count > MAX_SEGMENTS || offset > 1n << 20n) throw broken(`${count} program headers at ${offset}`);
  return Number(offset) + count * SIZE.Elf64_Phdr;
}

/**
 * Where the page frames of `ram` lie in the file, ascending, each once. Frames the file does not have are missing.
 * @throws FormatError
 */
export function memoryPieces(headers: Buffer, ram: readonly RamRange[]): MemoryPiece[] {
  const end = headersLength(headers);
  if (headers.length < end) throw broken('the headers are cut off');
  const segments: MemoryPiece[] = [];
  for (let at = Number(headers.readBigUInt64LE(OFFSET.Elf64_Ehdr.e_phoff)); at < end; at += SIZE.Elf64_Phdr) {
    const field = OFFSET.Elf64_Phdr;
    const address = headers.readBigUInt64LE(at + field.p_paddr);
    if (headers.readUInt32LE(at + field.p_type) !== C.PT_LOAD || address === NO_ADDRESS) continue;
    const first = (address + PAGE - 1n) / PAGE;
    const last = (address + headers.readBigUInt64LE(at + field.p_memsz)) / PAGE;
    const offset = headers.readBigUInt64LE(at + field.p_offset) + first * PAGE - address;
    if (last <= first || last > MAX_FRAME || offset > MAX_OFFSET) continue;
    segments.push({ startPfn: Number(first), endPfn: Number(last), offset });
  }
  // The longest first: of memory that is there twice the piece of the direct map is taken, not that of the kernel text.
  segments.sort((a, b) => b.endPfn - b.startPfn - (a.endPfn - a.startPfn));
  const pieces: MemoryPiece[] = [];
  for (const segment of segments) {
    for (const { startPfn, endPfn } of overlap(subtractRanges([segment], pieces), ram)) {
      pieces.push({ startPfn, endPfn, offset: segment.offset + BigInt(startPfn - segment.startPfn) * PAGE });
    }
  }
  return pieces.sort((a, b) => a.startPfn - b.startPfn);
}

/** The pieces of `ram` on this computer. @throws Error of the file system, or FormatError */
export function readMemoryPieces(ram: readonly RamRange[], root = REAL_ROOT): MemoryPiece[] {
  closeSync(openSync(join(root, 'proc/kpageflags'), 'r')); // without it nobody knows which frames are free
  const fd = openSync(join(root, 'proc/kcore'), 'r');
  try {
    const start = readUpTo(fd, SIZE.Elf64_Ehdr);
    return memoryPieces(readUpTo(fd, headersLength(start)), ram);
  } finally {
    closeSync(fd);
  }
}

function readUpTo(fd: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, 0));
}

function overlap(ranges: readonly RamRange[], others: readonly RamRange[]): RamRange[] {
  return subtractRanges(ranges, subtractRanges(ranges, others));
}

const broken = (reason: string): FormatError => new FormatError('/proc/kcore', reason);
