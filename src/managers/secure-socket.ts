// TLS 1.3 between an OS and a computer, each with its own key, each checking the other's against what it has pinned. No
// authority is asked: whether a certificate is "valid" says nothing here.
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { type Identity, publicKeyOf } from './identity.ts';

/** For `tls.connect` and `tls.createServer`. The handshake proves that the peer has the key in its certificate. */
export function secureOptions({ key, certificate }: Identity): SecureContextOptions & {
  rejectUnauthorized: boolean;
} {
  return {
    key: key.export({ format: 'pem', type: 'pkcs8' }),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
    ca: [], // else Node reads its list of all the authorities of the world
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    sigalgs: 'ed25519',
    ecdhCurve: 'X25519',
    rejectUnauthorized: false, // by authority; whoever uses a socket compares `peerKey`
  };
}

/** The key the other side has proved to have; undefined when it showed none of our kind. */
export function peerKey(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate && publicKeyOf(certificate.publicKey);
}
