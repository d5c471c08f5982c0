// Who an OS or a computer is: one Ed25519 key. The OS's travels with it; a computer's stays with the computer. Keys are
// written as base64url of their 32 bytes, which is also what is pinned: a public key is as short as a hash of it.
import type { KeyObject } from 'node:crypto';
import type { ComputerKeys } from '#core/pins.ts';
import { certificateOf, keyBytes, pkcs8Of, publicKeyIn, unsignedCertificate } from '#wire/certificate.ts';

/** Loaded when it is needed: a ghost has other things to begin with. */
const crypto = () => process.getBuiltinModule('node:crypto');

export interface Identity {
  /** To be pinned by others. */
  readonly publicKey: string;
  readonly key: KeyObject;
  /** Self-signed X.509, DER. */
  readonly certificate: Buffer;
}

/** @param secret base64 or base64url of 32 bytes. @throws Error when it is something else */
export function identityOf(secret: string): Identity {
  const seed = Buffer.from(secret.trim(), 'base64url');
  if (seed.length !== keyBytes) throw new Error(`a key has ${keyBytes} bytes, not ${seed.length}`);
  const { createPrivateKey, createPublicKey, sign } = crypto();
  const key = createPrivateKey({ key: pkcs8Of(seed), format: 'der', type: 'pkcs8' });
  const publicKey = publicKeyOf(createPublicKey(key));
  if (!publicKey) throw new Error('not an Ed25519 key');
  const unsigned = unsignedCertificate(Buffer.from(publicKey, 'base64url'));
  return { publicKey, key, certificate: certificateOf(unsigned, sign(null, unsigned, key)) };
}

export const newSecret = (): string => crypto().randomBytes(keyBytes).toString('base64url');

/** Undefined when it is no Ed25519 key. */
export function publicKeyOf(key: KeyObject): string | undefined {
  return publicKeyIn(key.export({ format: 'der', type: 'spki' }))?.toString('base64url');
}

/** An OS as other computers get to know it, and the keys it has pinned to their names. */
export interface OsKeys {
  readonly identity: Identity;
  pinOf(computer: string): string | undefined;
}

/** A computer as an OS gets to know it, and the OSes that may use it. */
export interface ServerKeys {
  readonly identity: Identity;
  /** Id of the OS whose key that is, undefined for a stranger. */
  ownerOf(publicKey: string): string | undefined;
}

export function serverKeys({ secret, owners }: ComputerKeys): ServerKeys {
  return {
    identity: identityOf(secret),
    ownerOf: publicKey => owners.find(each => each.key === publicKey)?.name,
  };
}
