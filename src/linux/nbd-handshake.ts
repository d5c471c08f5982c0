// The client's side of the NBD handshake, fixed newstyle (github.com/NetworkBlockDevice/nbd doc/proto.md).
// The server is not trusted: every length is checked before it is read, replies are counted, text is cleaned.
// It never sends a transmission request; the socket is afterwards ready for the kernel.
import type { ByteStream } from '#linux/byte-stream.ts';
import { FormatError } from '#linux/system-error.ts';

const INIT_MAGIC = 0x4e42_444d_4147_4943n; // "NBDMAGIC"
const OPTION_MAGIC = 0x4948_4156_454f_5054n; // "IHAVEOPT"
const REPLY_MAGIC = 0x0003_e889_0455_65a9n;

const FLAG_FIXED_NEWSTYLE = 1;
const FLAG_NO_ZEROES = 2;
const OPTION_EXPORT_NAME = 1;
const OPTION_GO = 7;
const REPLY_ACK = 1;
const REPLY_INFO = 3;
const REPLY_ERROR = 0x8000_0000;
const REPLY_ERROR_UNSUPPORTED = REPLY_ERROR + 1;
const INFO_EXPORT = 0;
const INFO_BLOCK_SIZE = 3;
const TRANSMISSION_HAS_FLAGS = 1;

const MAX_EXPORT_NAME_BYTES = 4096; // proto.md: strings are at most 4096 bytes
const MAX_REPLY_BYTES = 8192;
const MAX_REPLIES = 64;

/** What the server promises. `transmissionFlags` are NBD_FLAG_*; block sizes in bytes where the server told them. */
export interface NbdExport {
  readonly sizeBytes: number;
  readonly transmissionFlags: number;
  readonly minimumBlockBytes?: number;
  readonly preferredBlockBytes?: number;
  readonly maximumBlockBytes?: number;
}

type BlockSizes = Pick<NbdExport, 'minimumBlockBytes' | 'preferredBlockBytes' | 'maximumBlockBytes'>;

/**
 * Asks for export `name` with NBD_OPT_GO, or EXPORT_NAME where the server does not know GO.
 * @throws FormatError when the server refuses, or breaks the protocol; the stream's own errors
 */
export async function nbdHandshake(stream: ByteStream, name: string): Promise<NbdExport> {
  const nameBytes = Buffer.from(name);
  if (nameBytes.length > MAX_EXPORT_NAME_BYTES) throw broken('the export name is too long');

  const greeting = await stream.read(18);
  if (greeting.readBigUInt64BE(0) !== INIT_MAGIC) throw broken('this is no NBD server');
  if (greeting.readBigUInt64BE(8) !== OPTION_MAGIC) throw broken('the server speaks only the old handshake');
  const serverFlags = greeting.readUInt16BE(16);
  if ((serverFlags & FLAG_FIXED_NEWSTYLE) === 0) throw broken('the server does not offer fixed newstyle');
  const noZeroes = (serverFlags & FLAG_NO_ZEROES) !== 0;

  const clientFlags = Buffer.alloc(4);
  clientFlags.writeUInt32BE(FLAG_FIXED_NEWSTYLE | (noZeroes ? FLAG_NO_ZEROES : 0), 0);
  await stream.write(Buffer.concat([clientFlags, encodeGo(nameBytes)]));
  const granted = await readGoReplies(stream);
  if (granted !== 'unsupported') return granted;

  await stream.write(encodeOption(OPTION_EXPORT_NAME, nameBytes));
  const answer = await stream.read(noZeroes ? 10 : 10 + 124);
  return exportOf(answer, 0);
}

function encodeGo(name: Buffer): Buffer {
  const data = Buffer.alloc(4 + name.length + 2 + 2);
  data.writeUInt32BE(name.length, 0);
  data.set(name, 4);
  data.writeUInt16BE(1, 4 + name.length); // one information request:
  data.writeUInt16BE(INFO_BLOCK_SIZE, 4 + name.length + 2);
  return encodeOption(OPTION_GO, data);
}

function encodeOption(option: number, data: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64BE(OPTION_MAGIC, 0);
  header.writeUInt32BE(option, 8);
  header.writeUInt32BE(data.length, 12);
  return Buffer.concat([header, data]);
}

async function readGoReplies(stream: ByteStream): Promise<NbdExport | 'unsupported'> {
  let found: NbdExport | undefined;
  let blockSizes: BlockSizes = {};
  for (let count = 0; count < MAX_REPLIES; count++) {
    const header = await stream.read(20);
    if (header.readBigUInt64BE(0) !== REPLY_MAGIC) throw broken('wrong magic number in a reply');
    const option = header.readUInt32BE(8);
    const type = header.readUInt32BE(12);
    const length = header.readUInt32BE(16);
    if (option !== OPTION_GO) throw broken(`reply to option ${option}, which was not sent`);
    if (length > MAX_REPLY_BYTES) throw broken(`reply of ${length} bytes`);
    const data = await stream.read(length);
    if (type === REPLY_ERROR_UNSUPPORTED) return 'unsupported';
    if (type >= REPLY_ERROR) throw broken(`the server refuses the export: ${refusal(type, data)}`);
    if (type === REPLY_ACK) {
      if (found === undefined) throw broken('the server accepted without telling the size');
      return { ...found, ...blockSizes };
    }
    if (type !== REPLY_INFO || length < 2) throw broken(`unexpected reply of type ${type}, ${length} bytes`);
    const info = data.readUInt16BE(0);
    if (info === INFO_EXPORT) found = exportOf(data, 2);
    else if (info === INFO_BLOCK_SIZE) blockSizes = blockSizesOf(data);
  }
  throw broken(`more than ${MAX_REPLIES} replies to one question`);
}

function exportOf(data: Buffer, at: number): NbdExport {
  if (data.length < at + 10) throw broken('truncated export information');
  const size = data.readBigUInt64BE(at);
  const transmissionFlags = data.readUInt16BE(at + 8);
  if (size === 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(`export of ${size} bytes`);
  if ((transmissionFlags & TRANSMISSION_HAS_FLAGS) === 0) throw broken('transmission flags are not valid');
  return { sizeBytes: Number(size), transmissionFlags };
}

function blockSizesOf(data: Buffer): BlockSizes {
  if (data.length !== 14) throw broken('truncated block sizes');
  const minimumBlockBytes = data.readUInt32BE(2);
  const preferredBlockBytes = data.readUInt32BE(6);
  const maximumBlockBytes = data.readUInt32BE(10);
  const isPower = (value: number) => value > 0 && Number.isInteger(Math.log2(value));
  if (!isPower(minimumBlockBytes) || minimumBlockBytes > 65536)
    throw broken(`minimum block of ${minimumBlockBytes} bytes`);
  if (
    !isPower(preferredBlockBytes) ||
    preferredBlockBytes < minimumBlockBytes ||
    maximumBlockBytes < minimumBlockBytes
  ) {
    throw broken(`block sizes ${minimumBlockBytes}, ${preferredBlockBytes}, ${maximumBlockBytes}`);
  }
  return { minimumBlockBytes, preferredBlockBytes, maximumBlockBytes };
}

const REFUSALS: Readonly<Record<number, string>> = {
  2: 'forbidden by its policy',
  3: 'invalid request',
  4: 'not supported on its platform',
  5: 'TLS is required',
  6: 'unknown export',
  7: 'the server is shutting down',
  8: 'block sizes must be negotiated',
  9: 'request too big',
};

function refusal(type: number, data: Buffer): string {
  const reason = REFUSALS[type - REPLY_ERROR] ?? `error ${type - REPLY_ERROR}`;
  const text = data
    .subarray(0, 200)
    .toString('utf8')
    .replace(/[^\x20-\x7e]/g, '?');
  return text === '' ? reason : `${reason} (${text})`;
}

function broken(problem: string): FormatError {
  return new FormatError('NBD handshake', problem);
}
