// The bytes of the spool and what is known of them, as files in a folder in memory: they move with the OS, and an agent
// that was killed leaves them to the one after it. The kernel has a byte safe as soon as it was written here.
//
//   0000000000001234.bytes   bytes from number 1234 on, only appended to; the next file begins where it ends
//   counts                   u64 the printer has every byte before this number, u64 it was being given those before this
//   ends                     u64 each: a job ends before this number
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** A file that is longer gets a successor, so that what was printed can be thrown away. */
const fileBytes = 1 << 20;
/** An empty spool keeps a file that is shorter. */
const smallBytes = 64 * 1024;

interface Part {
  readonly first: number;
  readonly path: string;
  readonly fd: number;
  size: number;
}

export class SpoolFiles implements Disposable {
  readonly #folder: string;
  readonly #parts: Part[] = [];
  readonly #counts: number;
  readonly #ends: number;
  /** As the files say; `ends` in order. */
  readonly found: { readonly delivered: number; readonly sending: number; readonly ends: readonly number[] };

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const firsts = readdirSync(folder).flatMap(name => (name.endsWith('.bytes') ? [parseInt(name, 10)] : []));
    for (const first of firsts.sort((a, b) => a - b)) this.#open(first);
    const [delivered = 0, sending = 0] = this.#numbers('counts');
    this.#counts = openSync(join(folder, 'counts'), existsSync(join(folder, 'counts')) ? 'r+' : 'w+', 0o600);
    this.#ends = openSync(join(folder, 'ends'), 'a+', 0o600);
    if (this.#parts.length === 0) this.#open(delivered);
    this.found = {
      delivered: Math.min(Math.max(delivered, this.#parts[0]!.first), this.end),
      sending,
      ends: this.#numbers('ends'),
    };
  }

  /** Number of the next byte to come. */
  get end(): number {
    const last = this.#parts.at(-1)!;
    return last.first + last.size;
  }

  /** Returns the count that was kept: fewer when memory is full. */
  append(data: Uint8Array): number {
    if (this.#parts.at(-1)!.size >= fileBytes) this.#open(this.end);
    const last = this.#parts.at(-1)!;
    let count = 0;
    try {
      while (count < data.length) count += writeSync(last.fd, data, count, data.length - count);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
    last.size += count;
    return count;
  }

  /** At most `most` bytes from number `first` on, which must be here. */
  read(first: number, most: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(most, this.end - first)));
    let at = 0;
    for (const part of this.#parts) {
      const from = first + at - part.first;
      if (from >= part.size || at === bytes.length) continue;
      at += readSync(part.fd, bytes, at, Math.min(bytes.length - at, part.size - from), from);
    }
    return bytes.subarray(0, at);
  }

  /** What is about to be given to the printer, and what it has. */
  record(delivered: number, sending: number): void {
    writeSync(this.#counts, u64s([delivered, sending]), 0, 16, 0);
    this.#throwAway(delivered);
  }

  recordEnd(end: number): void {
    writeSync(this.#ends, u64s([end]));
  }

  /** All jobs that ended are printed. */
  forgetEnds(): void {
    ftruncateSync(this.#ends, 0);
  }

  [Symbol.dispose](): void {
    for (const fd of [...this.#parts.map(each => each.fd), this.#counts, this.#ends]) closeSync(fd);
    this.#parts.length = 0;
  }

  #throwAway(delivered: number): void {
    const last = this.#parts.at(-1)!;
    if (delivered === this.end && last.size > smallBytes) this.#open(this.end);
    while (this.#parts.length > 1 && this.#parts[0]!.first + this.#parts[0]!.size <= delivered) {
      const { fd, path } = this.#parts.shift()!;
      closeSync(fd);
      rmSync(path);
    }
  }

  #open(first: number): void {
    const path = join(this.#folder, `${String(first).padStart(16, '0')}.bytes`);
    const fd = openSync(path, 'a+', 0o600);
    this.#parts.push({ first, path, fd, size: statSync(path).size });
  }

  #numbers(name: string): number[] {
    const path = join(this.#folder, name);
    if (!existsSync(path)) return [];
    const bytes = readFileSync(path);
    return Array.from({ length: bytes.length >> 3 }, (_, index) => Number(bytes.readBigUInt64LE(index * 8)));
  }
}

function u64s(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 8);
  for (const [index, number] of numbers.entries()) bytes.writeBigUInt64LE(BigInt(number), index * 8);
  return bytes;
}
