// Where in a LUKS container nothing lies: between what describes its keys and the encrypted data. Formats of cryptsetup,
// docs/on-disk-format.pdf (LUKS1) and docs/on-disk-format-luks2.pdf. Reads only; damaged or unknown means that nobody knows.
import { createHash, getHashes } from 'node:crypto';
import * as v from 'valibot';
import { FormatError } from '#linux/system-error.ts';

const magic = Buffer.from('LUKS\xba\xbe', 'latin1');
/** Right before the data, in units of the largest sector there is. */
export const luksGapBytes = 4096;
/** The largest header area that cryptsetup makes: 4 MiB. */
const largestHeader = 4 * 2 ** 20;
const binaryBytes = 4096;
const sectorBytes = 512;

export const isLuks = (head: Buffer): boolean => head.subarray(0, magic.length).equals(magic);

/**
 * Byte at which a gap of `luksGapBytes` begins. `read`: bytes of the container from an offset on, fewer at its end.
 * @throws FormatError saying why there is none; the error of reading
 */
export function findLuksGap(read: (start: number, bytes: number) => Buffer): number {
  const head = read(0, binaryBytes);
  if (!isLuks(head) || head.length < binaryBytes) throw bad('it is none');
  const version = head.readUInt16BE(6);
  if (version === 1) return gapBefore(...inLuks1(head));
  if (version === 2) return gapBefore(...inLuks2(head, read));
  throw bad(`its version ${version} is not known`);
}

const bad = (reason: string): FormatError => new FormatError('LUKS container', reason);

interface Used {
  readonly start: number;
  readonly bytes: number;
}

function gapBefore(dataStart: number, used: readonly Used[]): number {
  const start = dataStart - luksGapBytes;
  if (!Number.isSafeInteger(start) || start % luksGapBytes !== 0)
    throw bad('its data begins at an odd place');
  if (used.some(each => each.start < dataStart && each.start + each.bytes > start))
    throw bad('there is no gap before its data');
  return start;
}

/** Big endian; eight slots for keys, each of `stripes` times the key. */
function inLuks1(head: Buffer): [number, Used[]] {
  const keyBytes = head.readUInt32BE(108);
  const slots = Array.from({ length: 8 }, (_, index) => {
    const at = 208 + 48 * index;
    const stripes = head.readUInt32BE(at + 44);
    return { start: head.readUInt32BE(at + 40) * sectorBytes, bytes: keyBytes * stripes };
  });
  const rounded = slots.map(({ start, bytes }) => ({
    start,
    bytes: Math.ceil(bytes / sectorBytes) * sectorBytes,
  }));
  return [head.readUInt32BE(104) * sectorBytes, [{ start: 0, bytes: binaryBytes }, ...rounded]];
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

function inLuks2(head: Buffer, read: (start: number, bytes: number) => Buffer): [number, Used[]] {
  const headerBytes = Number(head.readBigUInt64BE(8));
  if (headerBytes < 2 * binaryBytes || headerBytes > largestHeader || head.readBigUInt64BE(256) !== 0n)
    throw bad('its header is damaged');
  const whole = Buffer.from(read(0, headerBytes));
  refuseDamaged(whole, headerBytes);
  const { keyslots, segments, config } = metadataOf(whole.subarray(binaryBytes));
  const [segment, ...more] = Object.values(segments);
  const isWorkedOn = (config.requirements?.mandatory ?? []).length > 0 || more.length > 0;
  if (!segment || isWorkedOn)
    throw bad('it is just being encrypted anew, or has several parts (cryptsetup luksDump)');
  if (segment.type !== 'crypt' || segment.integrity !== undefined)
    throw bad('its data is not simply encrypted (cryptsetup luksDump)');
  const areas = Object.values(keyslots).map(({ area }) => ({ start: area.offset, bytes: area.size }));
  return [segment.offset, [{ start: 0, bytes: 2 * headerBytes }, ...areas]];
}

/** The hash is that of the whole header with zeros in its own place. */
function refuseDamaged(whole: Buffer, headerBytes: number): void {
  const name = textAt(whole, 72, 32);
  const told = Buffer.from(whole.subarray(448, 512));
  whole.fill(0, 448, 512);
  if (whole.length < headerBytes || !getHashes().includes(name)) throw bad('its header is damaged');
  const found = createHash(name).update(whole).digest();
  if (!found.equals(told.subarray(0, found.length))) throw bad('its header is damaged (cryptsetup repair)');
}

function metadataOf(bytes: Buffer): v.InferOutput<typeof MetadataSchema> {
  try {
    return v.parse(MetadataSchema, JSON.parse(textAt(bytes, 0, bytes.length)));
  } catch {
    throw bad('its header says nothing that is known here');
  }
}

function textAt(bytes: Buffer, start: number, length: number): string {
  const text = bytes.toString('utf8', start, start + length);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
