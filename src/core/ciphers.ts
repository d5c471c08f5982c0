// The ciphers of channels that the kernel encrypts, and which of them two computers use. Pure.

/** TLS 1.3 records (RFC 8446, B.4). */
export const ciphers = {
  aes128gcm: { keyBytes: 16 },
  chacha20poly1305: { keyBytes: 32 },
} as const;
export type Cipher = keyof typeof ciphers;
export const cipherNames = Object.keys(ciphers) as [Cipher, ...Cipher[]];

/** Bytes a second that a computer encrypts and deciphers, measured; a cipher that is not there it does not have. */
export type CipherRates = Readonly<Partial<Record<Cipher, number>>>;

/** The cipher that is fastest where it is slowest; undefined when there is none that all of them have. */
export function fastestCipher(...computers: readonly CipherRates[]): Cipher | undefined {
  const slowest = (cipher: Cipher): number => Math.min(...computers.map(rates => rates[cipher] ?? 0));
  const best = cipherNames.toSorted((a, b) => slowest(b) - slowest(a))[0];
  return best !== undefined && slowest(best) > 0 ? best : undefined;
}
