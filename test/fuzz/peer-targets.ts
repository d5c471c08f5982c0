// Bytes from servers that an agent asks: an NBD server, a printer.
import assert from 'node:assert/strict';
import {
  askJobs,
  askPrinter,
  decodeIppAnswer,
  encodeIppRequest,
  hasJob,
  printerOf,
  printJob,
} from '#devices/printer/ipp.ts';
import type { ByteStream } from '#linux/byte-stream.ts';
import { nbdHandshake } from '#linux/nbd-handshake.ts';
import { FormatError } from '#linux/system-error.ts';
import { mutate } from './mutate.ts';
import { decoder, type Target } from './target.ts';

const hex = (...text: string[]): Buffer[] => text.map(each => Buffer.from(each, 'hex'));
const reply = (type: string, data: string) =>
  `0003e889045565a900000007${type}${(data.length / 2).toString(16).padStart(8, '0')}${data}`;
const greeting = '4e42444d4147494349484156454f50540003'; // NBDMAGIC, IHAVEOPT, fixed newstyle + no zeroes
const exported = reply('00000003', '000000000000400000000005');
const blocks = reply('00000003', '0003000002000000100002000000');
const nbd = [
  hex(greeting, exported, blocks, reply('00000001', '')),
  hex(greeting, reply('80000001', ''), '00000000400000000005'),
  hex(greeting, reply('80000006', '6e6f206578706f7274')),
];

/** A server that says all of it at once, and then nothing more. */
function saying(bytes: Buffer): ByteStream {
  let at = 0;
  return {
    read: async length => {
      assert.ok(length <= 1 << 16, 'room was made for what a length field said');
      if (at + length > bytes.length) throw new FormatError('test', 'the other side closed the connection');
      at += length;
      return bytes.subarray(at - length, at);
    },
    write: async () => {},
  };
}

async function shakeHands(input: Buffer): Promise<void> {
  const { sizeBytes } = await nbdHandshake(saying(input), 'disk');
  assert.ok(Number.isSafeInteger(sizeBytes) && sizeBytes > 0);
}

/** In parts, so that values are repeated and mixed. */
function ippParts(operation: number, attributes: Parameters<typeof encodeIppRequest>[3]): Buffer[] {
  const whole = encodeIppRequest(operation, 1, 'ipp://printer/ipp/print', attributes);
  const more = Buffer.from([0x21, 0, 0, 0, 4, 0, 0, 0, 1]); // one more number
  return [
    whole.subarray(0, 8),
    whole.subarray(8, -1),
    Buffer.from([0x02]),
    more,
    Buffer.from([0x44, 0, 0, 0, 0]),
    Buffer.from([3]),
  ];
}
const ipp = [
  ippParts(0, askPrinter),
  ippParts(0, askJobs('completed')),
  ippParts(0x0400, printJob('yado-1')),
];

function readIpp(input: Buffer): void {
  const answer = decodeIppAnswer(input);
  printerOf(answer);
  hasJob(answer, 'yado-1');
}

export const peerTargets: readonly Target[] = [
  decoder(
    'nbd-handshake',
    'what an NBD server says to its client',
    random => mutate(random, nbd),
    shakeHands,
  ),
  decoder('ipp-answers', 'what an IPP printer answers', random => mutate(random, ipp), readIpp),
];
