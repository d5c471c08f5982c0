// Valid traffic, spoilt: parts of a recording are left out, repeated, put elsewhere, cut off and taken from another one;
// bytes are flipped, and numbers become the extreme ones that lengths and counts are worst at.
import type { Random } from './random.ts';

/** A recording as the parts it was sent in. */
export type Recording = readonly Buffer[];

const extremes = [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n];
const wide = [
  0xffff_fffcn,
  0xffff_ffffn,
  1n << 32n,
  (1n << 53n) - 1n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];
/** Repeating a part ends here. */
const mostBytes = 1 << 20;

type PartChange = (random: Random, parts: Buffer[], others: readonly Recording[]) => void;
const partChanges: readonly PartChange[] = [
  (random, parts) => void parts.splice(random.below(parts.length), 1),
  (random, parts) => {
    const at = random.below(parts.length);
    parts.splice(at, 0, parts[at] ?? Buffer.alloc(0));
  },
  (random, parts) => {
    const [moved] = parts.splice(random.below(parts.length), 1);
    if (moved) parts.splice(random.below(parts.length + 1), 0, moved);
  },
  (random, parts, others) => {
    const other = random.pick(random.pick(others));
    parts.splice(random.below(parts.length + 1), random.below(2), other);
  },
  (random, parts) => void parts.splice(random.below(parts.length)),
  (random, parts) => {
    const at = random.below(parts.length);
    const part = parts[at] ?? Buffer.alloc(0);
    const times = Math.min(1 << random.below(17), Math.floor(mostBytes / (part.length + 1)));
    parts[at] = Buffer.concat(Array.from({ length: times }, () => part));
  },
];

type ByteChange = (random: Random, bytes: Buffer) => Buffer;
const byteChanges: readonly ByteChange[] = [
  (random, bytes) => {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  (random, bytes) => {
    bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  extreme,
  extreme,
  (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  (random, bytes) => {
    const at = random.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(16)), bytes.subarray(at)]);
  },
  (random, bytes) => {
    const at = random.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
  },
  (random, bytes) => {
    const from = random.below(bytes.length);
    const piece = bytes.subarray(from, from + 1 + random.below(64));
    const at = random.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  },
];

/** A number of 1, 2, 4 or 8 bytes, in either order, becomes an extreme one, or one that is nearly right. */
function extreme(random: Random, bytes: Buffer): Buffer {
  const size = random.pick([1, 2, 4, 8].filter(each => each <= bytes.length));
  const at = random.oneIn(3)
    ? random.below(bytes.length - size + 1)
    : headwards(random, bytes.length - size + 1);
  const piece = bytes.subarray(at, at + size);
  const little = random.oneIn(3) ? piece.toReversed() : piece;
  const was = BigInt(`0x${Buffer.from(little.toReversed()).toString('hex')}`);
  const near = [was + 1n, was - 1n, was * 2n, BigInt(bytes.length), BigInt(bytes.length) - BigInt(at + size)];
  const value = BigInt.asUintN(8 * size, random.pick([...extremes, ...wide, ...near]));
  const out = Buffer.from(value.toString(16).padStart(2 * size, '0'), 'hex');
  piece.set(little === piece ? out.toReversed() : out);
  return bytes;
}

/** Numbers of a protocol stand mostly at the beginning, and mostly aligned. */
function headwards(random: Random, end: number): number {
  const at = random.below(Math.min(end, 1 << (3 + random.below(10))));
  return random.oneIn(3) ? at : at & ~3;
}

export function mutateBytes(random: Random, bytes: Buffer, most = 4): Buffer {
  let changed: Buffer = Buffer.from(bytes);
  for (let left = 1 + random.below(most); left > 0 && changed.length > 0; left--)
    changed = random.pick(byteChanges)(random, changed);
  return changed;
}

/** One of the recordings with some of its parts, or of their bytes, changed; once in a while just as it is. */
export function mutateParts(random: Random, recordings: readonly Recording[]): Buffer[] {
  const parts = [...random.pick(recordings)];
  if (random.oneIn(32)) return parts;
  while (parts.length > 0 && random.oneIn(2)) random.pick(partChanges)(random, parts, recordings);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (parts.length > 0 && total > 0 && !random.oneIn(5)) {
    const at = random.below(parts.length);
    parts[at] = mutateBytes(random, parts[at] ?? Buffer.alloc(0));
  }
  return parts;
}

export const mutate = (random: Random, recordings: readonly Recording[]): Buffer =>
  Buffer.concat(mutateParts(random, recordings));
