// Bytes from the kernel and from memory of this computer: CUSE, netlink, /proc/kcore, an image, what was saved or left.
import assert from 'node:assert/strict';
import { decodeMark, encodeMark } from '#devices/disk/left-mark.ts';
import { C } from '#linux/abi.ts';
import { kernelParameter, parseCmdline } from '#linux/cmdline.ts';
import { luks1, luks2, luksCopy, plainMetadata } from '#linux/fixture-luks.ts';
import {
  decodeFuseRequest,
  decodeInterrupt,
  decodeIoctl,
  decodePoll,
  decodeWrite,
  fuseOpcodes,
} from '#linux/fuse-messages.ts';
import { headersLength, memoryPieces } from '#linux/kcore.ts';
import { findLuksGap, luksGapBytes } from '#linux/luks-header.ts';
import { decodeNbdStatus } from '#linux/nbd.ts';
import { listAttributes, numberOf, parseAcknowledgement, parseMessages, textOf } from '#linux/netlink.ts';
import {
  decodeAddress,
  decodeLink,
  decodeRoute,
  encodeAddressAdd,
  encodeBridgeCreate,
  encodeDump,
  encodeRouteAdd,
} from '#linux/rtnetlink.ts';
import { encodeMetadata, firstPageOutside, parseImageHeader, parseMetadata } from '#linux/snapshot-image.ts';
import { decodeLeftBehind, leftParameter } from '../../src/agent/left-behind.ts';
import { parseSavedState } from '../../src/agent/saved-state.ts';
import { loadServices } from '../../src/managers/service-list.ts';
import { mutate } from './mutate.ts';
import { decoder, mustBeRefusal, type Target } from './target.ts';

const services = await loadServices();

function fuse(opcode: number, body: Buffer): Buffer[] {
  const head = Buffer.alloc(40);
  head.writeUInt32LE(40 + body.length, 0);
  head.writeUInt32LE(opcode, 4);
  return [Buffer.concat([head, body])];
}
const written = Buffer.alloc(50, 1);
written.writeUInt32LE(10, 16);
const requests = [
  ...Object.values(fuseOpcodes).map(opcode => fuse(opcode, Buffer.alloc(40))),
  fuse(fuseOpcodes.write, written),
];
const bodies: Readonly<Record<number, (body: Buffer) => unknown>> = {
  [fuseOpcodes.write]: decodeWrite,
  [fuseOpcodes.ioctl]: decodeIoctl,
  [fuseOpcodes.poll]: decodePoll,
  [fuseOpcodes.interrupt]: decodeInterrupt,
};
function readFuse(input: Buffer): void {
  const { opcode, body } = decodeFuseRequest(input);
  bodies[opcode]?.(body);
}

const mac = '52:54:00:12:34:56';
const address = {
  index: 2,
  ip: '10.77.0.1',
  prefixLength: 24,
  flags: 0x80,
  scope: 0,
  broadcast: '10.77.0.255',
};
const route = {
  family: 4,
  prefixLength: 0,
  gateway: '10.77.0.1',
  index: 2,
  metric: 3,
  table: 254,
  protocol: 4,
  scope: 0,
  type: 1,
} as const;
const refusal = Buffer.alloc(60); // NLMSG_ERROR, EPERM, capped, with an explanation
refusal.writeUInt32LE(60, 0);
refusal.writeUInt16LE(C.NLMSG_ERROR, 4);
refusal.writeUInt16LE(C.NLM_F_ACK_TLVS, 6);
refusal.writeInt32LE(-1, 16);
refusal.writeUInt32LE(20, 20);
refusal.writeUInt16LE(20, 40);
refusal.writeUInt16LE(C.NLMSGERR_ATTR_MSG, 42);
const messages = [
  encodeBridgeCreate('os0', mac),
  encodeAddressAdd(address),
  encodeRouteAdd(route),
  encodeDump('links'),
  refusal,
].map(each => Buffer.from(each));
const netlink = [messages, ...messages.map(each => [each])];
const answers: Readonly<Record<number, (message: ReturnType<typeof parseMessages>[number]) => unknown>> = {
  [C.RTM_NEWLINK]: decodeLink,
  [C.RTM_NEWADDR]: decodeAddress,
  [C.RTM_NEWROUTE]: decodeRoute,
  [C.NLMSG_ERROR]: parseAcknowledgement,
};
function readNetlink(input: Buffer): void {
  for (const message of parseMessages(input)) {
    const { payload, type } = message;
    const readers = [
      () => answers[type]?.(message),
      () => decodeNbdStatus(payload),
      () => listAttributes(payload).forEach(([, value]) => void textOf(value)),
      () => listAttributes(payload, 20).forEach(([, value]) => void numberOf(value)),
    ];
    for (const read of readers) {
      try {
        read();
      } catch (error) {
        mustBeRefusal(error);
      }
    }
  }
}

function kcoreHeaders(): Buffer[] {
  const head = Buffer.alloc(64);
  head.write('\x7fELF', 0, 'latin1');
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  const segments = [
    [0x7fff_8100_3000n, 0x100_0000n, 0x2000n],
    [0x880_0000_4000n, 0x1000n, 0x9e000n],
    [0x880_0010_3000n, 0x10_0000n, 0x3ff0_0000n],
  ].map(([offset = 0n, physical = 0n, size = 0n]) => {
    const segment = Buffer.alloc(56);
    segment.writeUInt32LE(C.PT_LOAD, 0);
    segment.writeBigUInt64LE(offset, 8);
    segment.writeBigUInt64LE(physical, 24);
    segment.writeBigUInt64LE(size, 32);
    segment.writeBigUInt64LE(size, 40);
    return segment;
  });
  head.writeUInt16LE(segments.length, 56);
  return [head, ...segments];
}
const ram = [
  { startPfn: 0x1, endPfn: 0x9f },
  { startPfn: 0x100, endPfn: 0x10000 },
];
function readKcore(input: Buffer): void {
  const most = headersLength(input);
  assert.ok(most <= 2 << 20, 'room was made for what a field said');
  let last = 0;
  for (const { startPfn, endPfn } of memoryPieces(input, ram)) {
    assert.ok(startPfn >= last && endPfn > startPfn);
    assert.ok(ram.some(range => startPfn >= range.startPfn && endPfn <= range.endPfn));
    last = endPfn;
  }
}

function imageHeader(dataPages: number, metadataPages: number): Buffer {
  const page = Buffer.alloc(4096);
  page.writeBigUInt64LE(0x23456789abcdef02n, 24);
  page.writeBigUInt64LE(BigInt(dataPages), 416);
  page.writeBigUInt64LE(BigInt(dataPages + metadataPages + 1), 424);
  return page;
}
const listOf = (count: number) =>
  Buffer.from(
    encodeMetadata(Array.from({ length: count }, (_, index) => ({ pageFrame: 0x100 + index, zero: false }))),
  );
const images = [
  [imageHeader(3, 1), listOf(3)],
  [imageHeader(600, 2), listOf(600)],
];
function readImage(input: Buffer): void {
  const header = parseImageHeader(input.subarray(0, 4096));
  const pages = parseMetadata(header, input.subarray(4096));
  assert.ok(pages.length >= header.dataPages);
  firstPageOutside(pages, ram);
}

const left = {
  osId: 'crab',
  epoch: 7,
  behind: [
    {
      kind: 'disk' as const,
      device: 'disk0',
      place: { pciAddress: '0000:00:06.0', identity: '0123456789abcdef' },
    },
    {
      kind: 'printer' as const,
      device: 'printer0',
      place: { kind: 'usb' as const, name: 'lp0', identity: 'MFG:x;' },
      printed: 9,
    },
  ],
};
const json = Buffer.from(JSON.stringify(left));
const words = [
  'quiet ',
  `${leftParameter(left)} `,
  'yado.left=',
  json.toString('base64url'),
  ' a="b c" ',
].map(each => Buffer.from(each));
const lines = [
  words,
  words.slice(0, 2),
  [words[2]!, Buffer.from(Buffer.from('{"osId":1}').toString('base64url'))],
];
function readLeft(input: Buffer): void {
  const text = kernelParameter(parseCmdline(input.toString('latin1')), 'yado.left');
  if (text !== undefined) decodeLeftBehind(text, services);
}
/** The JSON itself is spoilt, not its base64. */
const readLeftJson = (input: Buffer): void => void decodeLeftBehind(input.toString('base64url'), services);

const marks = [[encodeMark(json.toString()) ?? Buffer.alloc(0)]];
function readMark(input: Buffer): void {
  const text = decodeMark(input);
  assert.ok(text === undefined || text.length <= 1024);
}

const pieces = (text: string): Buffer[] => text.split(/(?<=[,:{}[\]])/).map(each => Buffer.from(each));
const containers = [[luks1()], [luks2(), luksCopy(luks2())]];
function readContainer(input: Buffer): void {
  const { start } = findLuksGap((at, bytes) => input.subarray(at, at + bytes));
  assert.ok(start >= luksGapBytes && start % luksGapBytes === 0);
}
const described = [pieces(JSON.stringify(plainMetadata))];
/** With its checksum right, which a change within the header would not have. */
const readDescribed = (input: Buffer): void =>
  readContainer(luks2(input.toString('latin1').slice(0, 12_000)));
const saved = pieces(
  JSON.stringify({
    here: { name: 'a', address: '10.77.0.1' },
    epoch: 3,
    rsdp: null,
    locations: [{ device: 'disk0', computer: 'a', epoch: 3 }],
    history: [],
    devices: { disk0: { any: 'thing' } },
  }),
);

export const kernelTargets: readonly Target[] = [
  decoder(
    'fuse-requests',
    'requests of programs to a device served here',
    random => mutate(random, requests),
    readFuse,
  ),
  decoder(
    'netlink-answers',
    'what the kernel says about the network',
    random => mutate(random, netlink),
    readNetlink,
  ),
  decoder(
    'kcore-header',
    'where memory lies in /proc/kcore',
    random => mutate(random, [kcoreHeaders()]),
    readKcore,
  ),
  decoder(
    'image-header',
    'header and lists of page frames of an image',
    random => mutate(random, images),
    readImage,
  ),
  decoder(
    'left-parameter',
    'the kernel command line of a standby',
    random => mutate(random, lines),
    readLeft,
  ),
  decoder(
    'left-json',
    'what was left behind, as a ghost tells it',
    random => mutate(random, [pieces(json.toString())]),
    readLeftJson,
  ),
  decoder('left-mark', 'the mark on a disk that was left behind', random => mutate(random, marks), readMark),
  decoder(
    'luks-header',
    'the header of an encrypted disk',
    random => mutate(random, containers),
    readContainer,
  ),
  decoder(
    'luks-metadata',
    'what the header of an encrypted disk tells',
    random => mutate(random, described),
    readDescribed,
  ),
  decoder(
    'saved-state',
    'what an agent that is started anew finds',
    random => mutate(random, [saved]),
    input => void parseSavedState(input.toString('latin1')),
  ),
];
