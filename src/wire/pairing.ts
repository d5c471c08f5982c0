// Messages of pairing (src/core/pairing.ts): a u32 length, then one CBOR map, as control messages have, but short and in
// the clear, for this is how two that have no keys of each other come by them.
import { encode } from 'cborg';
import * as v from 'valibot';
import type { PairingMessage } from '#core/pairing.ts';
import { KeySchema, NameSchema } from '#core/pins.ts';
import { parseCbor, withLength } from '#wire/control.ts';

export const pairingPort = 7403;
export const maxPairingBytes = 512;

export const pairingMessages = {
  /** `commitment`: SHA-256 of the OS's name, key and nonce. */
  commit: v.strictObject({ type: v.literal('commit'), name: NameSchema, commitment: KeySchema }),
  offer: v.strictObject({ type: v.literal('offer'), name: NameSchema, key: KeySchema, nonce: KeySchema }),
  reveal: v.strictObject({ type: v.literal('reveal'), key: KeySchema, nonce: KeySchema }),
  /** What the person says of the code. */
  verdict: v.strictObject({ type: v.literal('verdict'), agrees: v.boolean() }),
} as const;
const MessageSchema = v.variant('type', Object.values(pairingMessages));

export const encodePairing = (message: PairingMessage): Buffer => withLength(encode(message));

/** @throws WireError */
export const decodePairing = (bytes: Uint8Array): PairingMessage => parseCbor(MessageSchema, bytes);
