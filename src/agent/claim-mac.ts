// The MAC of a claim datagram: HMAC-SHA256 over all of it with zeros in the place of the MAC, so also over what it is
// (question, grant, refusal), of which move and which question. native/frozen/claim.c has the same.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { claim, macBytes } from '#wire/frames.ts';

const { mac } = claim.offsets;

function macOf(key: Uint8Array, datagram: Uint8Array): Buffer {
  const bare = Buffer.from(datagram);
  bare.fill(0, mac, mac + macBytes);
  return createHmac('sha256', key).update(bare).digest();
}

/** Puts the MAC into a datagram of `claim.bytes`. */
export function signClaim(key: Uint8Array, datagram: Buffer): void {
  datagram.set(macOf(key, datagram), mac);
}

/** In constant time. `datagram` has `claim.bytes`. */
export function isSignedClaim(key: Uint8Array, datagram: Buffer): boolean {
  return timingSafeEqual(macOf(key, datagram), datagram.subarray(mac, mac + macBytes));
}
