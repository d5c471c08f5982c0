// The announcements, byte for byte; the checksum is verified the way a receiver does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { announcement } from './announce.ts';

const mac = '52:54:00:12:34:56';
const macHex = '525400123456';

test('gratuitous ARP for an IPv4 address', () => {
  const expected = [
    'ffffffffffff', // to all
    macHex,
    '0806', // ARP
    '0001', // Ethernet
    '0800', // IPv4
    '06', // bytes of a MAC
    '04', // bytes of an address
    '0001', // request
    macHex, // sender
    '0a4d0064',
    '000000000000', // target: unknown by definition
    '0a4d0064', // the same address: that is what makes it gratuitous
  ];
  assert.equal(announcement('10.77.0.100', mac).toString('hex'), expected.join(''));
});

test('unsolicited neighbour advertisement for an IPv6 address', () => {
  const ip = 'fd000000000000000000000000000064';
  const frame = announcement('fd00::64', mac);
  const expected = [
    '333300000001', // the MAC of all nodes
    macHex,
    '86dd', // IPv6
    '60000000', // version 6
    '0020', // payload: 32 bytes
    '3a', // ICMPv6
    'ff', // hop limit 255: receivers drop anything else (RFC 4861, 7.1.2)
    ip,
    'ff020000000000000000000000000001', // all nodes
    '88', // neighbour advertisement
    '00',
    frame.subarray(56, 58).toString('hex'), // the checksum: see below
    '20000000', // override
    ip,
    '0201', // option: target link-layer address, 8 bytes
    macHex,
  ];
  assert.equal(frame.toString('hex'), expected.join(''));
});

/** One's complement sum over pseudo header and message; 0xffff when the checksum in it is right (RFC 1071). */
function receivedSum(frame: Buffer): number {
  const message = frame.subarray(54);
  const pseudo = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58])]);
  const bytes = Buffer.concat([pseudo, message]);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += bytes.readUInt16BE(at);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return sum;
}

test('the checksum holds for every address and MAC', () => {
  assert.equal(receivedSum(announcement('fd00::64', mac)), 0xffff);
  const hex = (bytes: Uint8Array, group: number, separator: string): string =>
    (
      Buffer.from(bytes)
        .toString('hex')
        .match(new RegExp(`.{${group}}`, 'g')) ?? []
    ).join(separator);
  const property = fc.property(
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.uint8Array({ minLength: 6, maxLength: 6 }),
    (ip, from) => {
      assert.equal(receivedSum(announcement(hex(ip, 4, ':'), hex(from, 2, ':'))), 0xffff);
    },
  );
  fc.assert(property);
});

test('what is no address is refused', () => {
  assert.throws(() => announcement('10.77.0', mac));
  assert.throws(() => announcement('10.77.0.1', '52:54'));
});
