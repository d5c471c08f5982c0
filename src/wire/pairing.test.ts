// Messages of pairing, there and back; and any bytes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from 'cborg';
import fc from 'fast-check';
import type { PairingMessage } from '#core/pairing.ts';
import { MessageReader } from './control.ts';
import { decodePairing, encodePairing, maxPairingBytes } from './pairing.ts';
import { WireError } from './wire-error.ts';

const key = 'A'.repeat(43);
const name = 'n'.repeat(63);
const messages: readonly PairingMessage[] = [
  { type: 'commit', name, commitment: key },
  { type: 'offer', name, key, nonce: key },
  { type: 'reveal', key, nonce: key },
  { type: 'verdict', agrees: true },
];

test('what is encoded is decoded, and fits', () => {
  for (const message of messages) {
    const bytes = encodePairing(message);
    assert.ok(bytes.length <= maxPairingBytes);
    assert.deepEqual(decodePairing(new MessageReader(maxPairingBytes).push(bytes)[0]!), message);
  }
});

test('a message that announces more than any has is refused before it has come', () => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(maxPairingBytes + 1);
  assert.throws(() => new MessageReader(maxPairingBytes).push(length), { kind: 'frameTooLarge' });
});

test('a name with more than letters, a key that is short, a field too many: refused', () => {
  for (const wrong of [
    { ...messages[1], name: 'b\x1b[2J' },
    { ...messages[1], key: 'AAAA' },
    { ...messages[3], more: 1 },
    { type: 'other' },
  ])
    assert.throws(() => decodePairing(encode(wrong)), WireError);
});

test('any bytes give a message or a wire error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.object().map(encodeSafely)), bytes => {
      try {
        decodePairing(bytes);
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }),
  );
});

function encodeSafely(value: unknown): Uint8Array {
  try {
    return encode(value);
  } catch {
    return new Uint8Array(1);
  }
}
