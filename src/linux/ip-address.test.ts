// Addresses as text and bytes.
import assert from 'node:assert/strict';
import { isIPv6, SocketAddress } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, formatMac, parseIp, parseMac } from '#linux/ip-address.ts';

test('known addresses', () => {
  const cases: [text: string, hex: string][] = [
    ['10.0.0.255', '0a0000ff'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['fe80::5054:ff:fe12:3456', 'fe80000000000000505400fffe123456'],
    ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
    ['1:0:2:3:4:5:6:7', '00010000000200030004000500060007'],
    ['10:0:0:20::', '00100000000000200000000000000000'],
  ];
  for (const [text, hex] of cases) {
    assert.equal(Buffer.from(parseIp(text)).toString('hex'), hex);
    assert.equal(formatIp(Buffer.from(hex, 'hex')), text);
  }
  assert.deepEqual(parseIp('::ffff:1.2.3.4'), parseIp('::ffff:102:304'));
});

test('every IPv6 address comes back, and Node agrees with the text', () => {
  const words = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(
    fc.property(words, list => {
      const bytes = Uint8Array.from(list.flatMap(word => [word >> 8, word & 0xff]));
      const text = formatIp(bytes);
      assert.ok(isIPv6(text), text);
      assert.deepEqual(parseIp(text), bytes);
      const canonical = new SocketAddress({ family: 'ipv6', address: text }).address;
      assert.deepEqual(parseIp(canonical), bytes);
    }),
  );
});

test('what is no address is refused', () => {
  for (const text of ['', '10.0.0', '10.0.0.256', '1::2::3', ':::', 'fe80::1%eth0', '12345::', 'x']) {
    assert.throws(() => parseIp(text), { name: 'FormatError' }, text);
  }
  assert.throws(() => parseMac('52:54:00:12:34'), { name: 'FormatError' });
  assert.equal(formatMac(parseMac('52:54:00:AB:cd:01')), '52:54:00:ab:cd:01');
});
