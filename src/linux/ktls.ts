// TLS 1.3 records made and read by the kernel on a TCP connection (include/uapi/linux/tls.h): there is no handshake, both
// ends are given keys that they have agreed on. From then on plain send and receive are encrypted; whatever was not made
// with the key, or comes twice or in another order, ends the connection with EBADMSG.
import type { Cipher } from '#core/ciphers.ts';
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import type { TlsKey, TlsKeys } from '#linux/channel-keys.ts';
import { setsockopt } from '#linux/ffi.ts';
import { SystemError } from '#linux/system-error.ts';

/** Number of the cipher, its struct, and how many bytes of the IV the struct calls salt. */
const layouts = {
  aes128gcm: {
    number: C.TLS_CIPHER_AES_GCM_128,
    struct: 'struct tls12_crypto_info_aes_gcm_128',
    saltBytes: 4,
  },
  chacha20poly1305: {
    number: C.TLS_CIPHER_CHACHA20_POLY1305,
    struct: 'struct tls12_crypto_info_chacha20_poly1305',
    saltBytes: 0,
  },
} as const satisfies Record<Cipher, object>;

/** `struct tls12_crypto_info_…` for a direction, numbers of records from 0. */
export function cryptoInfo({ cipher, key, iv }: TlsKey): Buffer {
  const { number, struct, saltBytes } = layouts[cipher];
  const info = Buffer.alloc(SIZE[struct]);
  const at = OFFSET[struct];
  info.writeUInt16LE(C.TLS_1_3_VERSION, 0);
  info.writeUInt16LE(number, 2);
  info.set(iv.subarray(0, saltBytes), at.salt);
  info.set(iv.subarray(saltBytes), at.iv);
  info.set(key, at.key);
  return info;
}

export function forgetKeys(keys: TlsKeys): void {
  for (const { key, iv } of [keys.out, keys.in]) {
    key.fill(0);
    iv.fill(0);
  }
}

/**
 * Encrypts a connected TCP socket from here on, and forgets the keys: the kernel has them. What the other end sent before
 * it must have been encrypted too.
 * @throws SystemError ENOENT where the kernel has no TLS, ENOTCONN when the other end has hung up
 */
export function encryptSocket(fd: number, keys: TlsKeys): void {
  try {
    setsockopt(fd, C.IPPROTO_TCP, C.TCP_ULP, Buffer.from('tls'));
    for (const [option, key] of [
      [C.TLS_TX, keys.out],
      [C.TLS_RX, keys.in],
    ] as const) {
      const info = cryptoInfo(key);
      try {
        setsockopt(fd, C.SOL_TLS, option, info);
      } finally {
        info.fill(0);
      }
    }
  } finally {
    forgetKeys(keys);
  }
  try {
    setsockopt(fd, C.SOL_TLS, C.TLS_RX_EXPECT_NO_PAD, 1); // saves a copy
  } catch (error) {
    if (!(error instanceof SystemError)) throw error; // kernels before 6.0 do not know it
  }
}
