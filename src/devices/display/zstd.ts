// How pictures are packed on the wire. Node's zlib is loaded with the first picture: a ghost starts while the OS stands
// still, and most ghosts show none.
import { promisify } from 'node:util';
import type { ZstdOptions } from 'node:zlib';

export function pack(bytes: Uint8Array): Promise<Buffer> {
  return promisify<Uint8Array, Buffer>(process.getBuiltinModule('node:zlib').zstdCompress)(bytes);
}

/** @throws Error when `bytes` are not packed, or more than `options.maxOutputLength` unpacked */
export function unpack(bytes: Uint8Array, options: ZstdOptions): Promise<Buffer> {
  const { zstdDecompress } = process.getBuiltinModule('node:zlib');
  return promisify<Uint8Array, ZstdOptions, Buffer>(zstdDecompress)(bytes, options);
}
