// IPP messages (RFC 8010), as much as a printer needs that is given whole jobs: pure bytes. The document of a Print-Job
// follows its message.
import { FormatError } from '#linux/system-error.ts';

export const ippOperations = { printJob: 0x0002, getJobs: 0x000a, getPrinterAttributes: 0x000b } as const;

/** Tags of the values that are sent. */
const valueTags = {
  integer: 0x21,
  name: 0x42,
  keyword: 0x44,
  uri: 0x45,
  charset: 0x47,
  language: 0x48,
  mediaType: 0x49,
} as const;
const numberTags: readonly number[] = [0x21, 0x23]; // integer, enum
const booleanTag = 0x22;
const groupTags = { operation: 0x01, job: 0x02, printer: 0x04 } as const;
const endTag = 0x03;
/** Tags below are delimiters. */
const firstValueTag = 0x10;
const version = 0x0200;

export type IppAttribute = readonly [
  name: string,
  type: keyof typeof valueTags,
  ...values: (string | number)[],
];
export type IppValue = string | number | boolean;
export interface IppAnswer {
  readonly status: number;
  readonly requestId: number;
  /** In the order in which they came; a group that comes twice (jobs) is there twice. */
  readonly groups: readonly { readonly tag: number; readonly attributes: ReadonlyMap<string, IppValue[]> }[];
}

/** Anything above tells why the printer refused. */
export const lastGoodStatus = 0x00ff;

/** A request to the printer at `uri`, with these attributes behind those every request has. */
export function encodeIppRequest(
  operation: number,
  requestId: number,
  uri: string,
  attributes: readonly IppAttribute[],
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt16BE(version, 0);
  head.writeUInt16BE(operation, 2);
  head.writeUInt32BE(requestId, 4);
  head.writeUInt8(groupTags.operation, 8);
  const all: IppAttribute[] = [
    ['attributes-charset', 'charset', 'utf-8'],
    ['attributes-natural-language', 'language', 'en'],
    ['printer-uri', 'uri', uri],
    ['requesting-user-name', 'name', 'yadokari'],
    ...attributes,
  ];
  return Buffer.concat([head, ...all.map(encodeAttribute), Buffer.of(endTag)]);
}

function encodeAttribute([name, type, ...values]: IppAttribute): Buffer {
  const parts = values.map((value, index) => {
    const bytes = typeof value === 'number' ? Buffer.alloc(4) : Buffer.from(value);
    if (typeof value === 'number') bytes.writeInt32BE(value);
    // Further values of an attribute have no name.
    return Buffer.concat([
      Buffer.of(valueTags[type]),
      sized(Buffer.from(index === 0 ? name : '')),
      sized(bytes),
    ]);
  });
  return Buffer.concat(parts);
}

function sized(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** @throws FormatError when the bytes are no whole IPP message */
export function decodeIppAnswer(bytes: Buffer): IppAnswer {
  const groups: { tag: number; attributes: Map<string, IppValue[]> }[] = [];
  let name = '';
  let at = 8;
  const take = (count: number): Buffer => {
    if (at + count > bytes.length) throw new FormatError('IPP', `it ends after ${bytes.length} bytes`);
    at += count;
    return bytes.subarray(at - count, at);
  };
  if (bytes.length < at) throw new FormatError('IPP', `${bytes.length} bytes`);
  for (;;) {
    const tag = take(1)[0]!;
    if (tag === endTag) break;
    if (tag < firstValueTag) {
      groups.push({ tag, attributes: new Map() });
      name = '';
      continue;
    }
    const group = groups.at(-1);
    if (!group) throw new FormatError('IPP', 'a value outside of any group');
    const named = take(take(2).readUInt16BE()).toString();
    name = named || name;
    const value = decodeValue(tag, take(take(2).readUInt16BE()));
    const values = group.attributes.get(name);
    if (values) values.push(value);
    else group.attributes.set(name, [value]);
  }
  return { status: bytes.readUInt16BE(2), requestId: bytes.readUInt32BE(4), groups };
}

/** Values of kinds that nobody here asks for come as the text their bytes make. */
function decodeValue(tag: number, bytes: Buffer): IppValue {
  if (numberTags.includes(tag) && bytes.length === 4) return bytes.readInt32BE();
  if (tag === booleanTag && bytes.length === 1) return bytes[0] !== 0;
  return bytes.toString();
}

const printerAttributes = [
  'printer-name',
  'printer-make-and-model',
  'printer-device-id',
  'printer-state',
  'printer-state-reasons',
  'printer-is-accepting-jobs',
] as const;

export const askPrinter: readonly IppAttribute[] = [
  ['requested-attributes', 'keyword', ...printerAttributes],
];

/** `raw`: the printer finds out by itself what kind of document it is. */
export const printJob = (jobName: string): readonly IppAttribute[] => [
  ['job-name', 'name', jobName],
  ['document-format', 'mediaType', 'application/octet-stream'],
];

export const askJobs = (which: 'completed' | 'not-completed'): readonly IppAttribute[] => [
  ['limit', 'integer', 100],
  ['which-jobs', 'keyword', which],
  ['requested-attributes', 'keyword', 'job-name', 'job-state'],
];

/** What a printer says of itself. */
export interface IppPrinter {
  readonly name: string;
  readonly model: string;
  readonly deviceId: string;
  /** 3 idle, 4 processing, 5 stopped (RFC 8011, 5.4.11) */
  readonly state: number;
  readonly reasons: readonly string[];
  readonly accepts: boolean;
}

export function printerOf({ groups }: IppAnswer): IppPrinter {
  const found = groups.find(each => each.tag === groupTags.printer)?.attributes;
  const text = (name: string): string => String(found?.get(name)?.[0] ?? '');
  return {
    name: text('printer-name'),
    model: text('printer-make-and-model'),
    deviceId: text('printer-device-id'),
    state: Number(found?.get('printer-state')?.[0] ?? 0),
    reasons: (found?.get('printer-state-reasons') ?? []).map(String),
    accepts: found?.get('printer-is-accepting-jobs')?.[0] !== false,
  };
}

const failedStates = [7, 8]; // canceled, aborted

/** True when one of the jobs has this name, and has not failed. */
export const hasJob = ({ groups }: IppAnswer, jobName: string): boolean =>
  groups.some(
    ({ tag, attributes }) =>
      tag === groupTags.job &&
      attributes.get('job-name')?.[0] === jobName &&
      !failedStates.includes(Number(attributes.get('job-state')?.[0])),
  );
