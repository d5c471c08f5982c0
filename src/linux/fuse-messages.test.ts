// CUSE messages: exact bytes, and anything else is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeFuseRequest,
  decodeInterrupt,
  decodeIoctl,
  decodePoll,
  decodeWrite,
  encodeCuseInit,
  encodeError,
  encodeIoctlAgain,
  encodeWake,
  encodeWritten,
} from '#linux/fuse-messages.ts';
import { FormatError } from '#linux/system-error.ts';

function request(opcode: number, body: Buffer): Buffer {
  const head = Buffer.alloc(40);
  head.writeUInt32LE(40 + body.length, 0);
  head.writeUInt32LE(opcode, 4);
  head.writeBigUInt64LE(9n, 8);
  head.writeUInt32LE(77, 32);
  return Buffer.concat([head, body]);
}

test('a write', () => {
  const body = Buffer.alloc(43);
  body.writeBigUInt64LE(5n, 0);
  body.writeUInt32LE(3, 16);
  body.writeUInt32LE(0x801, 32);
  body.write('abc', 40);
  const decoded = decodeFuseRequest(request(16, body));
  assert.deepEqual([decoded.opcode, decoded.unique, decoded.pid], [16, 9n, 77]);
  const { handle, nonBlocking, data } = decodeWrite(decoded.body);
  assert.deepEqual([handle, nonBlocking, data.toString()], [5n, true, 'abc']);
  assert.equal(encodeWritten(9n, 3).toString('hex'), '18000000000000000900000000000000' + '0300000000000000');
});

test('errors are negative, a wake-up carries its kind', () => {
  assert.equal(encodeError(9n, 11).toString('hex'), '10000000f5ffffff0900000000000000');
  assert.equal(encodeWake(7n).toString('hex'), '18000000010000000000000000000000' + '0700000000000000');
});

test('the start names the device', () => {
  const init = encodeCuseInit(1n, 'usb/lp0');
  assert.equal(init.readUInt32LE(0), init.length);
  assert.equal(init.subarray(16 + 72).toString(), 'DEVNAME=usb/lp0\0');
  assert.equal(init.readUInt32LE(16 + 12), 1); // any ioctl
});

test('an ioctl without a size is called again with the memory to fill', () => {
  const again = encodeIoctlAgain(9n, 0x7fff_0000_1234n, 4);
  assert.equal(again.length, 48);
  assert.equal(again.readUInt32LE(16 + 4), 4);
  assert.equal(again.readBigUInt64LE(32), 0x7fff_0000_1234n);
  assert.equal(again.readBigUInt64LE(40), 4n);
});

test('what is no message is a FormatError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
      for (const decode of [decodeFuseRequest, decodeWrite, decodeIoctl, decodePoll, decodeInterrupt]) {
        try {
          decode(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      }
    }),
  );
});
