// Which cipher two computers use.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastestCipher } from './ciphers.ts';

test('the cipher with which the slower of the two is fastest', () => {
  const withInstructions = { aes128gcm: 3e9, chacha20poly1305: 1e9 };
  const without = { aes128gcm: 5e7, chacha20poly1305: 4e8 };
  assert.equal(fastestCipher(withInstructions, withInstructions), 'aes128gcm');
  assert.equal(fastestCipher(withInstructions, without), 'chacha20poly1305');
  assert.equal(fastestCipher(without, withInstructions), 'chacha20poly1305');
});

test('only a cipher that both have; none is none', () => {
  assert.equal(fastestCipher({ aes128gcm: 1 }, { aes128gcm: 1, chacha20poly1305: 9 }), 'aes128gcm');
  assert.equal(fastestCipher({ aes128gcm: 1 }, { chacha20poly1305: 9 }), undefined);
  assert.equal(fastestCipher({}, { aes128gcm: 1 }), undefined);
});
