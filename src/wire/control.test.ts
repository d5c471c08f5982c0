// Control messages: bytes of one, every request and answer there and back, and any bytes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from 'cborg';
import fc from 'fast-check';
import { cipherNames } from '#core/ciphers.ts';
import { lendableClasses } from '#core/device-class.ts';
import { regionBytes, windowBytes } from '#core/disk-follow.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  type ControlType,
  checkAnswer,
  checkRequest,
  controlRequests,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeErrorAnswer,
  encodeRequest,
  endings,
  MessageReader,
  maxControlBytes,
  protocolVersion,
} from '#wire/control.ts';
import { WireError } from '#wire/wire-error.ts';

const text = fc.string({ maxLength: 40, unit: 'grapheme' });
const count = fc.maxSafeNat();
const side = fc.integer({ min: 1, max: 16_384 });
const plain = { noNullPrototype: true } as const;
const requests: { [T in Exclude<ControlType, 'describe'>]: fc.Arbitrary<ControlRequest<T>> } = {
  prepare: fc.record(
    {
      osId: text,
      epoch: count,
      secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      cipher: fc.constantFrom(...cipherNames),
      imageBytes: count,
      kept: fc.constantFrom([], ['0000:00:05.0', '0000:00:1f.3']),
      source: text,
      isForeign: fc.boolean(),
      sourceAddress: fc.ipV4(),
    },
    plain,
  ),
  cancel: fc.constant({}),
  ended: fc.record({ osId: text, epoch: count, how: fc.constantFrom(...endings) }, plain),
  alive: fc.record({ osId: text, epoch: count, computer: text, address: text }, plain),
  device: fc.record({ osId: text, device: text, epoch: count }, plain),
  diskHashes: fc.record(
    {
      ...{ osId: text, device: text, epoch: count },
      start: fc.nat(1 << 20).map(region => region * regionBytes),
      bytes: fc.integer({ min: 1, max: windowBytes }),
    },
    plain,
  ),
  diskReleased: fc.record({ osId: text, device: text, epoch: count }, plain),
  diskLook: fc.record(
    {
      osId: text,
      disk: fc.string({ minLength: 1, maxLength: 50 }),
      place: fc.record({ pciAddress: text, unit: count }, plain),
    },
    { ...plain, requiredKeys: ['osId'] },
  ),
  print: fc.record(
    {
      osId: text,
      device: text,
      epoch: count,
      first: count,
      delivered: count,
      data: fc.uint8Array({ maxLength: 300 }),
      jobEnd: count,
      hold: fc.boolean(),
    },
    { ...plain, requiredKeys: ['osId', 'device', 'epoch', 'first', 'delivered', 'data', 'hold'] },
  ),
  lend: fc.record(
    { osId: text, device: text, class: fc.constantFrom(...lendableClasses), epoch: count },
    plain,
  ),
  giveBack: fc.record({ device: text, epoch: count }, plain),
  screen: fc.record(
    { device: text, epoch: count, width: side, height: side, bitsPerPixel: fc.constantFrom(16, 32) },
    plain,
  ),
  draw: fc.record(
    {
      device: text,
      epoch: count,
      rects: fc.array(
        fc.record(
          { x: side, y: side, width: side, height: side, data: fc.uint8Array({ maxLength: 300 }) },
          plain,
        ),
        { maxLength: 5 },
      ),
    },
    plain,
  ),
  keys: fc.record({ device: text, epoch: count, waitMs: fc.nat(20_000), leds: fc.nat(0xffff) }, plain),
  standby: fc.constant({}),
  whereIs: fc.record({ osId: text, epoch: count }, plain),
  status: fc.constant({}),
};

/** The only message in `bytes`. */
function messageOf(bytes: Buffer): Buffer {
  const messages = new MessageReader().push(bytes);
  assert.equal(messages.length, 1);
  return messages[0]!;
}

test('a request on the wire', () => {
  const bytes = encodeRequest(1, 'cancel', {});
  const expected = [
    ...[0x21, 0, 0, 0], // length of what follows
    0xa4, // a map of four, shortest keys first
    ...[0x62, ...Buffer.from('id'), 1],
    ...[0x64, ...Buffer.from('body'), 0xa0], // an empty map
    ...[0x64, ...Buffer.from('type'), 0x66, ...Buffer.from('cancel')],
    ...[0x67, ...Buffer.from('version'), protocolVersion],
  ];
  expected[0] = expected.length - 4;
  assert.deepEqual([...bytes], expected);
});

for (const [type, arbitrary] of Object.entries(requests) as [ControlType, fc.Arbitrary<never>][]) {
  test(`${type}: a request comes out as it went in`, () => {
    const property = fc.property(count, arbitrary, (id, body) => {
      const request = decodeRequest(messageOf(encodeRequest(id, type, body)));
      assert.deepEqual(
        { ...request, body: checkRequest(type, request.body) },
        { version: protocolVersion, id, type, body },
      );
    });
    fc.assert(property);
  });
}

test('answers come out as they went in', () => {
  const device: ControlAnswer<'device'> = {
    ...{ ready: true, exportName: 'os-disk0-3', port: 10_809 },
    ...{ secret: new Uint8Array(32).fill(4), cipher: 'chacha20poly1305' as const },
  };
  const answer = decodeAnswer(messageOf(encodeAnswer(7, device)));
  assert.equal(answer.id, 7);
  assert.deepEqual(checkAnswer('device', answer.body), device);
  const error = { code: 'busy', message: 'b is busy.', hint: 'yado wait' };
  assert.deepEqual(decodeAnswer(messageOf(encodeErrorAnswer(8, error))).error, error);
});

test('messages are cut out of any chunks', () => {
  const property = fc.property(
    fc.array(count, { maxLength: 5 }),
    fc.integer({ min: 1, max: 50 }),
    (ids, size) => {
      const bytes = Buffer.concat(ids.map(id => encodeRequest(id, 'status', {})));
      const reader = new MessageReader();
      const got: number[] = [];
      for (let at = 0; at < bytes.length; at += size)
        for (const message of reader.push(bytes.subarray(at, at + size))) got.push(decodeRequest(message).id);
      assert.deepEqual(got, ids);
    },
  );
  fc.assert(property);
});

test('a length over the limit is refused before its bytes are there', () => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(maxControlBytes + 1);
  assert.throws(() => new MessageReader().push(length), { name: 'WireError', kind: 'frameTooLarge' });
});

test('what is not exactly a request is refused', () => {
  const refused = (value: unknown): void => {
    assert.throws(() => decodeRequest(encode(value)), { name: 'WireError', kind: 'badMessage' });
  };
  const good = { version: 1, id: 1, type: 'status', body: {} };
  assert.equal(decodeRequest(encode(good)).type, 'status');
  refused({ ...good, more: 1 });
  refused({ ...good, id: -1 });
  refused({ ...good, id: 1.5 });
  refused({ ...good, version: '1' });
  refused({ id: 1, type: 'status', body: {} });
  refused([good]);
  refused(null);
});

test('a body is checked to the last field', () => {
  const body = { osId: 'crab', device: 'disk0', epoch: 3 };
  assert.deepEqual(checkRequest('device', body), body);
  for (const wrong of [
    { ...body, more: 1 },
    { osId: 'crab', device: 'disk0' },
    { ...body, epoch: '3' },
    null,
    undefined,
    7,
  ])
    assert.throws(() => checkRequest('device', wrong), WireError);
  const prepare = {
    osId: 'o',
    epoch: 1,
    secret: new Uint8Array(32),
    cipher: 'aes128gcm',
    imageBytes: 1,
    kept: [],
    source: 'a',
    isForeign: false,
    sourceAddress: '10.0.0.1',
  };
  assert.deepEqual(checkRequest('prepare', prepare), prepare);
  for (const [wrong, why] of [
    [{ secret: new Uint8Array(31) }, /32 bytes/],
    [{ cipher: 'none' }, /"none"/],
    [{ sourceAddress: 'a' }, /"a"/],
    [{ sourceAddress: '10.0.0.256' }, /10\.0\.0\.256/],
    [{ sourceAddress: '::1' }, /::1/],
  ] as const)
    assert.throws(() => checkRequest('prepare', { ...prepare, ...wrong }), why);
  const prepared = { port: 7402, parkBytes: 0, keys: { secret: 'A'.repeat(43), owners: [] } };
  for (const length of [0, 32]) checkAnswer('prepare', { ...prepared, tagSeed: new Uint8Array(length) });
  for (const tagSeed of [new Uint8Array(31), new Uint8Array(33), undefined, '0'])
    assert.throws(() => checkAnswer('prepare', { ...prepared, tagSeed }), /answer to prepare/);
  assert.throws(() => checkAnswer('status', { name: 'a', role: 'king' }), /answer to status/);
});

test('hostile CBOR gives a WireError', () => {
  const refused = (bytes: number[]): void =>
    assert.throws(() => decodeRequest(Uint8Array.from(bytes)), WireError);
  refused([]);
  refused(Array.from({ length: 60_000 }, () => 0x81)); // a list in a list in a list …
  refused([0x9b, 0, 0, 0, 1, 0, 0, 0, 0]); // a list of 2^32
  refused([0x5b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]); // 4 GiB of bytes, which are not there
  refused([0xbf, 0xff]); // of unknown length
  refused([0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2]); // the same key twice
  refused([0xa1, 0x69, ...Buffer.from('__proto__'), 0xa0]);
});

test('any bytes give a request or a WireError', () => {
  const mutated = fc
    .tuple(
      fc.constantFrom(...Object.values(requests)),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }),
    )
    .chain(([arbitrary, changes]) =>
      (arbitrary as fc.Arbitrary<never>).map(body => {
        const bytes = encodeRequest(1, 'prepare', body).subarray(4);
        for (const [offset, value] of changes) bytes[offset % bytes.length] = value;
        return bytes;
      }),
    );
  const property = fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated), bytes => {
    try {
      const { type, body } = decodeRequest(bytes);
      if (Object.hasOwn(controlRequests, type)) checkRequest(type as ControlType, body);
    } catch (error) {
      assert.ok(error instanceof WireError, String(error));
    }
  });
  fc.assert(property, { numRuns: 3000 });
});

test('a message of very many or very long wrong values gets one short reason', () => {
  const body = {
    osId: 'a',
    epoch: 1,
    token: new Uint8Array(32),
    imageBytes: 1,
    source: 'a',
    sourceAddress: 'b',
  };
  for (const kept of [Array.from({ length: 500_000 }, () => 0), ['x'.repeat(500_000)]]) {
    assert.throws(
      () => checkRequest('prepare', { ...body, kept }),
      (error: unknown) => error instanceof WireError && error.message.length < 400,
    );
  }
});

test('an error that says too much is cut, so that it can be read', () => {
  const long = 'x'.repeat(5000);
  const [message = Buffer.alloc(0)] = new MessageReader().push(
    encodeErrorAnswer(1, { code: 'busy', message: long, hint: long }),
  );
  assert.equal(decodeAnswer(message).error?.message.length, 1000);
});

test('a long message that comes byte by byte does not hold up everything else', () => {
  const message = encodeAnswer(1, { text: 'x'.repeat(maxControlBytes - 100) });
  const reader = new MessageReader();
  const before = process.cpuUsage();
  let got = 0;
  for (let at = 0; at < message.length; at++) got += reader.push(message.subarray(at, at + 1)).length;
  assert.equal(got, 1);
  assert.ok(process.cpuUsage(before).user < 15e6); // it took minutes when every byte copied those before it
});
