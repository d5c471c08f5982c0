// The header of a LUKS container (docs of cryptsetup: on-disk-format.pdf, on-disk-format-luks2.pdf), as far as it says where
// the container's data begins and that nothing lies right before it: there the disk of an encrypted OS is marked. Reads
// through a function; writes nothing. What is not understood is refused: a wrong place would destroy keys or data.
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { FormatError } from '#linux/system-error.ts';

/** So many bytes from that byte on. @throws the error of reading */
export type ReadAt = (start: number, bytes: number) => Buffer;

/** The bytes of a container that nothing uses. */
export interface LuksSpot {
  /** Byte on the disk. */
  readonly start: number;
  /** Whatever is there has no meaning: LUKS2 fills the room for keys with random bytes. */
  readonly isRoomForKeys: boolean;
}

/** The largest unit of a disk, and of the kernel's memory of it: nobody else writes in the one that has the mark. */
const spotBytes = 4096;
const magic = Buffer.from('LUKS\xba\xbe', 'latin1');
const secondMagic = Buffer.from('SKUL\xba\xbe', 'latin1');

/** Whether these first bytes of a disk are of a container. */
export const isLuks = (first: Buffer): boolean => first.subarray(0, magic.length).equals(magic);

/**
 * The last bytes before the data of the container that begins a disk; undefined when none begins it.
 * @throws FormatError saying why nothing can be written there; the error of reading
 */
export function luksSpot(read: ReadAt): LuksSpot | undefined {
  const first = read(0, 512);
  if (!isLuks(first)) return undefined;
  if (first.length < 512) throw broken('its header is not whole');
  const version = first.readUInt16BE(6);
  if (version !== 1 && version !== 2) throw broken(`LUKS${version} is not known here`);
  const { dataStart, used, keysEnd } = version === 1 ? readFirstVersion(read(0, 1024)) : readSecond(read);
  if (dataStart <= 0) throw broken('its header is not on the same disk');
  if (dataStart % spotBytes !== 0) throw broken('its data begins at an odd place');
  const start = dataStart - spotBytes;
  if (used.some(each => each.end > start && each.start < dataStart))
    throw broken('there is no room between its keys and its data');
  return { start, isRoomForKeys: keysEnd >= dataStart };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

interface Layout {
  /** In bytes, as all here. */
  readonly dataStart: number;
  readonly used: readonly Span[];
  /** Where the room for keys ends. */
  readonly keysEnd: number;
}

/** struct luks_phdr */
function readFirstVersion(bytes: Buffer): Layout {
  if (bytes.length < 592) throw broken('its header is not whole');
  const keyBytes = bytes.readUInt32BE(108);
  const used: Span[] = [{ start: 0, end: 1024 }];
  for (let at = 208; at < 208 + 8 * 48; at += 48) {
    const start = bytes.readUInt32BE(at + 40) * 512;
    const stripes = bytes.readUInt32BE(at + 44);
    if (start === 0 || stripes === 0 || keyBytes === 0) throw broken('its header is damaged');
    used.push({ start, end: start + roundUp(keyBytes * stripes) });
  }
  return { dataStart: bytes.readUInt32BE(104) * 512, used, keysEnd: 0 };
}

/** How large a header of LUKS2 may be: that is also where its copy begins. */
const headerSizes = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map(each => each * 1024);
const checksums: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 };

const Bytes = v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.transform(Number));
const Area = v.object({ offset: Bytes, size: Bytes });
const MetadataSchema = v.object({
  config: v.object({
    keyslots_size: Bytes,
    requirements: v.optional(v.object({ mandatory: v.optional(v.array(v.string()), []) })),
  }),
  segments: v.record(
    v.string(),
    v.object({
      type: v.string(),
      offset: Bytes,
      integrity: v.optional(v.unknown()),
      flags: v.optional(v.array(v.string()), []),
    }),
  ),
  keyslots: v.record(v.string(), v.object({ type: v.string(), area: Area })),
});

/** The first header that is whole. */
function readSecond(read: ReadAt): Layout {
  const text = readMetadata(read, 0, magic) ?? readCopy(read);
  if (!text) throw broken('its header is damaged');
  const { config, segments, keyslots } = metadataOf(text.json);
  const [needs] = config.requirements?.mandatory ?? [];
  if (needs !== undefined) throw broken(`it needs what is not known here (${needs.slice(0, 64)})`);
  const [segment, ...more] = Object.values(segments);
  if (!segment || more.length > 0)
    throw broken('its data lies in several pieces, or is just being encrypted anew');
  if (segment.type !== 'crypt' || segment.flags.length > 0 || segment.integrity !== undefined)
    throw broken('its data is of a kind that is not known here (integrity?)');
  const slots = Object.values(keyslots);
  if (slots.some(each => each.type !== 'luks2')) throw broken('it is just being encrypted anew');
  const keysStart = 2 * text.bytes;
  const used = slots.map(({ area }) => ({ start: area.offset, end: area.offset + area.size }));
  return {
    dataStart: segment.offset,
    used: [{ start: 0, end: keysStart }, ...used],
    keysEnd: keysStart + config.keyslots_size,
  };
}

function readCopy(read: ReadAt): Metadata | undefined {
  for (const start of headerSizes) {
    const found = readMetadata(read, start, secondMagic);
    if (found) return found;
  }
  return undefined;
}

interface Metadata {
  readonly json: string;
  /** Of the header, its description included. */
  readonly bytes: number;
}

/** struct luks2_hdr_disk, and the description behind it. Undefined unless its checksum is right. */
function readMetadata(read: ReadAt, start: number, itsMagic: Buffer): Metadata | undefined {
  const first = read(start, 512);
  if (first.length < 512 || !first.subarray(0, magic.length).equals(itsMagic)) return undefined;
  const bytes = Number(first.readBigUInt64BE(8));
  const algorithm = first.toString('latin1', 72, 104).replace(/\0.*$/s, '');
  const hashBytes = Object.hasOwn(checksums, algorithm) ? checksums[algorithm] : undefined;
  const isHere = first.readUInt16BE(6) === 2 && first.readBigUInt64BE(256) === BigInt(start);
  if (!isHere || !headerSizes.includes(bytes) || hashBytes === undefined) return undefined;
  if (start !== 0 && start !== bytes) return undefined;
  const all = Buffer.from(read(start, bytes));
  if (all.length < bytes) return undefined;
  const said = Buffer.from(all.subarray(448, 448 + hashBytes));
  all.fill(0, 448, 512);
  if (!createHash(algorithm).update(all).digest().equals(said)) return undefined;
  return { json: all.toString('utf8', 4096).replace(/\0.*$/s, ''), bytes };
}

function metadataOf(json: string): v.InferOutput<typeof MetadataSchema> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw broken('its description cannot be read');
  }
  const found = v.safeParse(MetadataSchema, parsed, { abortEarly: true });
  if (!found.success) throw broken('its description is not as expected');
  return found.output;
}

const roundUp = (bytes: number): number => Math.ceil(bytes / spotBytes) * spotBytes;

const broken = (problem: string): FormatError => new FormatError('the LUKS container', problem);
