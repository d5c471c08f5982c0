// Netlink bytes: what is encoded is decoded again, and any bytes give a value or a FormatError.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { C } from '#linux/abi.ts';
import { decodeNbdStatus } from '#linux/nbd.ts';
import {
  encodeMessage,
  listAttributes,
  numberOf,
  parseAcknowledgement,
  parseAttributes,
  parseMessages,
  textOf,
  withSequence,
} from '#linux/netlink.ts';
import { decodeAddress, decodeLink, decodeRoute } from '#linux/rtnetlink.ts';
import { FormatError } from '#linux/system-error.ts';

test('a message as the kernel wants it, byte by byte', () => {
  const message = encodeMessage(C.RTM_NEWLINK, C.NLM_F_CREATE, Uint8Array.of(1, 2, 3, 4), [
    [C.IFLA_IFNAME, 'os0'],
    [C.IFLA_LINKINFO, [[C.IFLA_INFO_KIND, 'bridge']]],
  ]);
  assert.equal(
    Buffer.from(message).toString('hex'),
    [
      '2c000000', // length 44
      '10000504', // type 16, flags CREATE | ACK | REQUEST
      '00000000', // sequence, to be patched
      '00000000', // port
      '01020304', // family header
      '08000300', // length 8, IFLA_IFNAME
      '6f733000', // "os0"
      '10001280', // length 16, IFLA_LINKINFO | NESTED
      '0b000100', // length 11, IFLA_INFO_KIND
      '6272696467650000', // "bridge", NUL, padding
    ].join(''),
  );
  assert.equal(parseMessages(withSequence(message, 77))[0]?.sequence, 77);
});

test('attributes survive encoding and parsing', () => {
  const values = fc.uniqueArray(
    fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 50 })),
    {
      selector: ([type]) => type,
      maxLength: 20,
    },
  );
  fc.assert(
    fc.property(values, attributes => {
      const [message] = parseMessages(encodeMessage(20, 0, new Uint8Array(8), attributes));
      assert.ok(message);
      const found = parseAttributes(message.payload, 8);
      assert.deepEqual(
        [...found].map(([type, value]) => [type, [...value]]),
        attributes.map(([type, value]) => [type, [...value]]),
      );
    }),
  );
});

test('a refusal carries the errno and the kernel’s words', () => {
  // error -EINVAL (-22), the request's header (capped), NLMSGERR_ATTR_MSG "bad"
  const payload = Buffer.from(`eaffffff${'14000000100005000100000000000000'}0800010062616400`, 'hex');
  const flags = C.NLM_F_CAPPED | C.NLM_F_ACK_TLVS;
  const answer = parseAcknowledgement({ type: C.NLMSG_ERROR, flags, sequence: 1, payload });
  assert.deepEqual(answer, { errno: 22, detail: 'bad' });
});

test('any bytes give a value or a FormatError', () => {
  const decoders: ((bytes: Buffer) => unknown)[] = [
    parseMessages,
    listAttributes,
    numberOf,
    textOf,
    decodeNbdStatus,
    payload => decodeLink({ type: C.RTM_NEWLINK, flags: 0, sequence: 1, payload }),
    payload => decodeAddress({ type: C.RTM_NEWADDR, flags: 0, sequence: 1, payload }),
    payload => decodeRoute({ type: C.RTM_NEWROUTE, flags: 0, sequence: 1, payload }),
    payload => parseAcknowledgement({ type: C.NLMSG_ERROR, flags: C.NLM_F_ACK_TLVS, sequence: 1, payload }),
  ];
  // Short lengths and small type numbers reach deeper than uniform bytes.
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 200,
    }),
  );
  fc.assert(
    fc.property(bytes, fc.constantFrom(...decoders), (input, decode) => {
      try {
        decode(Buffer.from(input));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});

test('an acknowledgement that echoes more than it holds is refused', () => {
  for (const echoed of [0, 15, 1000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    const payload = Buffer.alloc(40);
    payload.writeUInt32LE(echoed, 4);
    const message = { type: C.NLMSG_ERROR, flags: C.NLM_F_ACK_TLVS, sequence: 1, payload };
    assert.throws(() => parseAcknowledgement(message), FormatError);
  }
});
