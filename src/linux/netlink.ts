// Netlink messages as bytes: building and parsing of headers and attributes. Pure.
// A built message carries sequence number 0; whoever sends it (client or frozen helper) may patch it.
// Parsers take any bytes: they give values or a FormatError, and never read outside of what they were given.
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import { FormatError } from '#linux/system-error.ts';

const HEADER = OFFSET['struct nlmsghdr'];
const HEADER_SIZE = SIZE['struct nlmsghdr'];
const ATTRIBUTE_SIZE = SIZE['struct nlattr'];

/** One message of a datagram. `payload` is what follows the netlink header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

/** An attribute to encode: [type, value]; a nested list becomes a nested attribute, a number a u32, text is NUL-ended. */
export type Attribute = readonly [
  type: number,
  value: Uint8Array | string | number | bigint | readonly Attribute[],
];

/** Builds a request: NLM_F_REQUEST | NLM_F_ACK | `flags`, fixed header (`family header`), attributes. */
export function encodeMessage(
  type: number,
  flags: number,
  familyHeader: Uint8Array,
  attributes: readonly Attribute[],
): Uint8Array {
  const body = Buffer.concat([padded(familyHeader), encodeAttributes(attributes)]);
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32LE(HEADER_SIZE + body.length, 0);
  header.writeUInt16LE(type, HEADER.nlmsg_type);
  header.writeUInt16LE(flags | C.NLM_F_REQUEST | C.NLM_F_ACK, HEADER.nlmsg_flags);
  return Buffer.concat([header, body]);
}

/** A copy of `message` with its sequence number set. */
export function withSequence(message: Uint8Array, sequence: number): Uint8Array {
  const copy = Buffer.from(message);
  copy.writeUInt32LE(sequence, HEADER.nlmsg_seq);
  return copy;
}

export function encodeAttributes(attributes: readonly Attribute[]): Buffer {
  return Buffer.concat(attributes.map(encodeAttribute));
}

function encodeAttribute([type, value]: Attribute): Buffer {
  const nested = Array.isArray(value);
  const bytes = attributeBytes(value);
  const header = Buffer.alloc(ATTRIBUTE_SIZE);
  header.writeUInt16LE(ATTRIBUTE_SIZE + bytes.length, 0);
  header.writeUInt16LE(nested ? type | C.NLA_F_NESTED : type, 2);
  return padded(Buffer.concat([header, bytes]));
}

function attributeBytes(value: Attribute[1]): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value, 0);
    return bytes;
  }
  if (typeof value === 'bigint') {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value, 0);
    return bytes;
  }
  return encodeAttributes(value);
}

function padded(bytes: Uint8Array): Buffer {
  const copy = Buffer.alloc((bytes.length + 3) & ~3);
  copy.set(bytes);
  return copy;
}

/** Splits a datagram into its messages. @throws FormatError */
export function parseMessages(datagram: Uint8Array): NetlinkMessage[] {
  const bytes = asBuffer(datagram);
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEADER_SIZE) throw new FormatError('netlink', 'truncated header');
    const length = bytes.readUInt32LE(at);
    if (length < HEADER_SIZE || length > bytes.length - at)
      throw new FormatError('netlink', `bad length ${length}`);
    messages.push({
      type: bytes.readUInt16LE(at + HEADER.nlmsg_type),
      flags: bytes.readUInt16LE(at + HEADER.nlmsg_flags),
      sequence: bytes.readUInt32LE(at + HEADER.nlmsg_seq),
      payload: bytes.subarray(at + HEADER_SIZE, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** Attributes after a family header of `skip` bytes, by type; of a repeated type the last wins. @throws FormatError */
export function parseAttributes(payload: Uint8Array, skip = 0): Map<number, Buffer> {
  return new Map(listAttributes(payload, skip));
}

/** Like parseAttributes, but keeps order and repeats (nested lists of items). @throws FormatError */
export function listAttributes(payload: Uint8Array, skip = 0): [type: number, value: Buffer][] {
  const bytes = asBuffer(payload);
  const found: [number, Buffer][] = [];
  for (let at = skip; at < bytes.length; ) {
    if (bytes.length - at < ATTRIBUTE_SIZE) throw new FormatError('netlink', 'truncated attribute');
    const length = bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_SIZE || length > bytes.length - at) {
      throw new FormatError('netlink', `bad attribute length ${length}`);
    }
    found.push([bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + ATTRIBUTE_SIZE, at + length)]);
    at += (length + 3) & ~3;
  }
  return found;
}

/** An attribute as unsigned number of its own width (1, 2, 4 or 8 bytes up to 2^53); undefined when absent. */
export function numberOf(value: Buffer | undefined): number | undefined {
  if (value === undefined) return undefined;
  switch (value.length) {
    case 1:
      return value.readUInt8(0);
    case 2:
      return value.readUInt16LE(0);
    case 4:
      return value.readUInt32LE(0);
    case 8:
      return Number(value.readBigUInt64LE(0));
    default:
      throw new FormatError('netlink', `a number of ${value.length} bytes`);
  }
}

/** An attribute as text, without its NUL; undefined when absent. */
export function textOf(value: Buffer | undefined): string | undefined {
  return value?.toString('utf8').split('\0', 1)[0];
}

/** The result in an NLMSG_ERROR message: errno (0 = acknowledged) and the kernel's explanation. @throws FormatError */
export function parseAcknowledgement(message: NetlinkMessage): { errno: number; detail: string | undefined } {
  const { payload, flags } = message;
  if (payload.length < 4 + HEADER_SIZE) throw new FormatError('netlink', 'truncated acknowledgement');
  const errno = -payload.readInt32LE(0);
  if (errno < 0) throw new FormatError('netlink', `positive error ${-errno}`);
  let detail: string | undefined;
  if ((flags & C.NLM_F_ACK_TLVS) !== 0) {
    // Unless capped, the request is echoed between its header and the explanation.
    const echoed = (flags & C.NLM_F_CAPPED) === 0 ? payload.readUInt32LE(4) : HEADER_SIZE;
    if (echoed < HEADER_SIZE || echoed > payload.length - 4)
      throw new FormatError('netlink', `a request of ${echoed} bytes is echoed`);
    detail = textOf(parseAttributes(payload, 4 + ((echoed + 3) & ~3)).get(C.NLMSGERR_ATTR_MSG));
  }
  return { errno, detail };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
