// The bytes around an Ed25519 key: PKCS #8 for its secret half, SubjectPublicKeyInfo for the public one, and the X.509
// certificate that TLS wants to carry it in. In the certificate nothing counts but the key: names, number and times are
// the same in all of them, for peers are told apart by pinned keys alone. Pure; signing is done elsewhere.

export const keyBytes = 32;

/** DER: tag, length, content. */
function der(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Buffer {
  const content = Buffer.concat(parts.map(part => Buffer.from(part)));
  const length =
    content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}
const tags = { integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, utcTime: 0x17, time: 0x18 };
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);

/** id-Ed25519, 1.3.101.112 (RFC 8410). */
const ed25519 = sequence(der(tags.oid, [0x2b, 0x65, 0x70]));
/** CN=yadokari */
const commonName = sequence(der(tags.oid, [0x55, 0x04, 0x03]), der(tags.utf8, Buffer.from('yadokari')));
const name = sequence(der(0x31, commonName));
/** Always: a standby may not know what time it is. */
const validity = sequence(
  der(tags.utcTime, Buffer.from('000101000000Z')),
  der(tags.time, Buffer.from('99991231235959Z')),
);

/** @param secret 32 bytes (RFC 8410: the seed) */
export function pkcs8Of(secret: Uint8Array): Buffer {
  return sequence(der(tags.integer, [0]), ed25519, der(tags.octets, der(tags.octets, secret)));
}

const spkiOf = (publicKey: Uint8Array): Buffer => sequence(ed25519, der(tags.bits, [0], publicKey));
const spkiHead = spkiOf(Buffer.alloc(keyBytes)).subarray(0, -keyBytes);

/** The 32 bytes of the key in a SubjectPublicKeyInfo, undefined for a key of another kind. */
export function publicKeyIn(spki: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(spki);
  const isEd25519 = bytes.length === spkiHead.length + keyBytes && bytes.indexOf(spkiHead) === 0;
  return isEd25519 ? bytes.subarray(spkiHead.length) : undefined;
}

/** What is signed of a certificate (X.509 version 3, number 1). */
export function unsignedCertificate(publicKey: Uint8Array): Buffer {
  const version3 = der(0xa0, der(tags.integer, [2]));
  return sequence(version3, der(tags.integer, [1]), ed25519, name, validity, name, spkiOf(publicKey));
}

/** @param signature of `unsignedCertificate`, by the key itself */
export function certificateOf(unsigned: Uint8Array, signature: Uint8Array): Buffer {
  return sequence(unsigned, ed25519, der(tags.bits, [0], signature));
}
