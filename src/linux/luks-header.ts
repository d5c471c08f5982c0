// Where in a LUKS container nothing lies: between what describes its keys and the encrypted data. Formats of cryptsetup,
// docs/on-disk-format.pdf (LUKS1) and docs/on-disk-format-luks2.pdf. Reads only; damaged or unknown means that nobody knows.
import { createHash, getHashes } from 'node:crypto';
import * as v from 'valibot';
import { FormatError } from '#linux/system-error.ts';

const magic = Buffer.from('LUKS\xba\xbe', 'latin1');
/** Of the second copy of a header (LUKS2). */
const copyMagic = Buffer.from('SKUL\xba\xbe', 'latin1');
/** Right before the data, in units of the largest sector there is. */
export const luksGapBytes = 4096;
/** Header areas have 16 KiB to 4 MiB, in powers of two; the copy begins where the first one ends. */
const copiesAt = Array.from({ length: 9 }, (_, power) => 16384 * 2 ** power);
const largestHeader = copiesAt.at(-1) ?? 0;
const binaryBytes = 4096;
const sectorBytes = 512;

export interface LuksGap {
  /** The byte it begins at. */
  readonly start: number;
  /** Why nothing may be written there, but over what was once written there. */
  readonly trouble?: string;
}

export const isLuks = (head: Buffer): boolean => head.subarray(0, magic.length).equals(magic);

/**
 * The `luksGapBytes` before the data. `read`: bytes of the container from an offset on, fewer at its end.
 * @throws FormatError when nobody can say where the data begins; the error of reading
 */
export function findLuksGap(read: Read): LuksGap {
  const head = read(0, binaryBytes);
  if (!isLuks(head) || head.length < binaryBytes) throw bad('it is none');
  const version = head.readUInt16BE(6);
  if (version === 1) return gapBefore(inLuks1(head));
  if (version === 2) return gapBefore(inLuks2(read));
  throw bad(`its version ${version} is not known`);
}

type Read = (start: number, bytes: number) => Buffer;

const bad = (reason: string): FormatError => new FormatError('LUKS container', reason);

interface Layout {
  readonly dataStart: number;
  readonly used: readonly { readonly start: number; readonly bytes: number }[];
  readonly trouble?: string | undefined;
}

function gapBefore({ dataStart, used, trouble }: Layout): LuksGap {
  const start = dataStart - luksGapBytes;
  if (!Number.isSafeInteger(start) || start <= 0 || start % luksGapBytes !== 0)
    throw bad('its data begins at an odd place');
  const isUsed = used.some(each => each.start < dataStart && each.start + each.bytes > start);
  const why = trouble ?? (isUsed ? 'there is no gap before its data' : undefined);
  return { start, ...(why !== undefined && { trouble: why }) };
}

/** Big endian; eight slots for keys, each of `stripes` times the key. */
function inLuks1(head: Buffer): Layout {
  const keyBytes = head.readUInt32BE(108);
  const slots = Array.from({ length: 8 }, (_, index) => {
    const at = 208 + 48 * index;
    const bytes = keyBytes * head.readUInt32BE(at + 44);
    return {
      start: head.readUInt32BE(at + 40) * sectorBytes,
      bytes: Math.ceil(bytes / sectorBytes) * sectorBytes,
    };
  });
  return {
    dataStart: head.readUInt32BE(104) * sectorBytes,
    used: [{ start: 0, bytes: binaryBytes }, ...slots],
  };
}

const Bytes = v.pipe(v.string(), v.regex(/^\d{1,16}$/), v.transform(Number), v.safeInteger());
const MetadataSchema = v.object({
  keyslots: v.record(v.string(), v.object({ area: v.object({ offset: Bytes, size: Bytes }) })),
  segments: v.record(
    v.string(),
    v.object({ type: v.string(), offset: Bytes, integrity: v.optional(v.unknown()) }),
  ),
  config: v.object({
    requirements: v.optional(v.object({ mandatory: v.optional(v.array(v.string()), []) })),
  }),
});

function inLuks2(read: Read): Layout {
  const { headerBytes, text } = intactHeader(read);
  const { keyslots, segments, config } = metadataOf(text);
  const all = Object.values(segments);
  if (all.length === 0) throw bad('its header tells of no data');
  const areas = Object.values(keyslots).map(({ area }) => ({ start: area.offset, bytes: area.size }));
  const isWorkedOn = (config.requirements?.mandatory ?? []).length > 0 || all.length > 1;
  const isOther = all.some(({ type, integrity }) => type !== 'crypt' || integrity !== undefined);
  return {
    dataStart: Math.min(...all.map(each => each.offset)),
    used: [{ start: 0, bytes: 2 * headerBytes }, ...areas],
    trouble: isWorkedOn
      ? 'it is just being encrypted anew, or has several parts (cryptsetup luksDump)'
      : isOther
        ? 'its data is not simply encrypted (cryptsetup luksDump)'
        : undefined,
  };
}

interface Header {
  readonly headerBytes: number;
  readonly text: string;
}

/** The first one; its copy where power was lost while the first one was being written, as cryptsetup does it. */
function intactHeader(read: Read): Header {
  for (const at of [0, ...copiesAt]) {
    const header = headerAt(read, at);
    if (header) return header;
  }
  throw bad('its header is damaged (cryptsetup repair)');
}

/** Undefined where none is, or a damaged one. */
function headerAt(read: Read, at: number): Header | undefined {
  const binary = read(at, binaryBytes);
  if (binary.length < binaryBytes || binary.readUInt16BE(6) !== 2) return undefined;
  if (!binary.subarray(0, magic.length).equals(at === 0 ? magic : copyMagic)) return undefined;
  const headerBytes = Number(binary.readBigUInt64BE(8));
  const isHere = binary.readBigUInt64BE(256) === BigInt(at) && (at === 0 || headerBytes === at);
  if (!isHere || headerBytes < 2 * binaryBytes || headerBytes > largestHeader) return undefined;
  const whole = Buffer.from(read(at, headerBytes));
  if (whole.length < headerBytes || !isIntact(whole)) return undefined;
  return { headerBytes, text: textAt(whole, binaryBytes, headerBytes - binaryBytes) };
}

/** The hash is that of the whole header with zeros in its own place. */
function isIntact(whole: Buffer): boolean {
  const name = textAt(whole, 72, 32);
  const told = Buffer.from(whole.subarray(448, 512));
  whole.fill(0, 448, 512);
  if (!getHashes().includes(name)) return false;
  const found = createHash(name).update(whole).digest();
  return found.length > 0 && found.length <= told.length && found.equals(told.subarray(0, found.length));
}

function metadataOf(text: string): v.InferOutput<typeof MetadataSchema> {
  try {
    return v.parse(MetadataSchema, JSON.parse(text));
  } catch {
    throw bad('its header says nothing that is known here');
  }
}

function textAt(bytes: Buffer, start: number, length: number): string {
  const text = bytes.toString('utf8', start, start + length);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
