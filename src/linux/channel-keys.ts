// Keys of the channels beside the control channel. Every channel begins with 32 random bytes that came over the control
// channel and are used once; HKDF-SHA256 (RFC 5869) makes of them a key for each purpose, direction and cipher.
import { hkdfSync } from 'node:crypto';
import { type Cipher, ciphers } from '#core/ciphers.ts';
import { claimKeyBytes, secretBytes, tokenBytes } from '#wire/frames.ts';

/** RFC 8446, 5.3: the number of a record is mixed into it. */
const ivBytes = 12;

export interface TlsKey {
  readonly cipher: Cipher;
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

/** Keys of a channel, seen from one of its ends. */
export interface TlsKeys {
  readonly out: TlsKey;
  readonly in: TlsKey;
}

/** Who connects, and who accepts. */
export type End = 'client' | 'server';
export type Channel = 'image' | 'disk';

export function tlsKeys(secret: Uint8Array, channel: Channel, cipher: Cipher, end: End): TlsKeys {
  const from = (sender: End): TlsKey => ({
    cipher,
    key: derive(secret, `${channel} ${cipher} ${sender} key`, ciphers[cipher].keyBytes),
    iv: derive(secret, `${channel} ${cipher} ${sender} iv`, ivBytes),
  });
  return { out: from(end), in: from(end === 'client' ? 'server' : 'client') };
}

/** What begins the stream of a move and marks its mailbox page. */
export const moveToken = (secret: Uint8Array): Uint8Array => derive(secret, 'token', tokenBytes);

/** What the claims of a move and their answers are signed with. */
export const claimKeyOf = (secret: Uint8Array): Uint8Array => derive(secret, 'claim', claimKeyBytes);

function derive(secret: Uint8Array, purpose: string, length: number): Uint8Array {
  if (secret.length !== secretBytes) throw new RangeError(`a secret has ${secretBytes} bytes`);
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), `yadokari 3 ${purpose}`, length));
}
