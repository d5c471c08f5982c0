// Keys of channels and how the kernel is given them; whether this kernel takes them.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cipherNames } from '#core/ciphers.ts';
import { claimKeyOf, moveToken, type TlsKey, tlsKeys } from '#linux/channel-keys.ts';
import { cryptoInfo } from '#linux/ktls.ts';
import { measureCiphers } from '#linux/ktls-probe.ts';

const secret = Uint8Array.from({ length: 32 }, (_, index) => index);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** RFC 5869 in its own words: extract with a salt of zeros, expand for up to 32 bytes. */
function hkdf(info: string, length: number): string {
  const mac = (key: Uint8Array, data: Uint8Array): Buffer => createHmac('sha256', key).update(data).digest();
  const extracted = mac(new Uint8Array(32), secret);
  return hex(mac(extracted, Buffer.concat([Buffer.from(info), Buffer.of(1)])).subarray(0, length));
}

test('keys are HKDF-SHA256 of the secret and their purpose', () => {
  assert.equal(hex(moveToken(secret)), hkdf('yadokari 3 token', 32));
  assert.equal(hex(claimKeyOf(secret)), hkdf('yadokari 3 claim', 32));
  const { out, in: into } = tlsKeys(secret, 'image', 'aes128gcm', 'client');
  assert.equal(hex(out.key), hkdf('yadokari 3 image aes128gcm client key', 16));
  assert.equal(hex(out.iv), hkdf('yadokari 3 image aes128gcm client iv', 12));
  assert.equal(hex(into.key), hkdf('yadokari 3 image aes128gcm server key', 16));
  assert.equal(
    hex(tlsKeys(secret, 'disk', 'chacha20poly1305', 'server').out.key),
    hkdf('yadokari 3 disk chacha20poly1305 server key', 32),
  );
  assert.throws(() => moveToken(secret.subarray(1)), /32 bytes/);
});

test('what one end sends with is what the other receives with, and no two keys are the same', () => {
  const seen = [hex(moveToken(secret)), hex(claimKeyOf(secret))];
  for (const channel of ['image', 'disk'] as const)
    for (const cipher of cipherNames) {
      const client = tlsKeys(secret, channel, cipher, 'client');
      const server = tlsKeys(secret, channel, cipher, 'server');
      assert.deepEqual([client.out, client.in], [server.in, server.out]);
      seen.push(hex(client.out.key), hex(client.in.key));
    }
  const beginnings = seen.map(each => each.slice(0, 32));
  assert.equal(new Set(beginnings).size, seen.length);
});

test('as struct tls12_crypto_info_…', () => {
  const key = (cipher: TlsKey['cipher'], length: number): TlsKey => ({
    cipher,
    key: new Uint8Array(length).fill(0x4b),
    iv: Uint8Array.from({ length: 12 }, (_, index) => 0xa0 + index),
  });
  // version 0x0304, cipher 51; iv, key, salt, number of the first record
  assert.equal(
    hex(cryptoInfo(key('aes128gcm', 16))),
    ['0403', '3300', 'a4a5a6a7a8a9aaab', '4b'.repeat(16), 'a0a1a2a3', '00'.repeat(8)].join(''),
  );
  assert.equal(
    hex(cryptoInfo(key('chacha20poly1305', 32))),
    ['0403', '3600', 'a0a1a2a3a4a5a6a7a8a9aaab', '4b'.repeat(32), '00'.repeat(8)].join(''),
  );
});

test('ciphers are measured where the kernel encrypts, and none is claimed where it does not', async () => {
  const rates = await measureCiphers(() => performance.now());
  const hasTls = readFileSync('/proc/sys/net/ipv4/tcp_available_ulp', 'utf8').includes('tls');
  assert.deepEqual(Object.keys(rates), hasTls ? cipherNames : []);
  for (const rate of Object.values(rates)) assert.ok(rate > 1e5);
});
