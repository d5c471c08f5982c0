// For tests only: headers of LUKS containers as cryptsetup writes them, as far as they are looked at.
import { createHash } from 'node:crypto';

const magic = Buffer.from('LUKS\xba\xbe', 'latin1');

/** Of cryptsetup 2.6 with its defaults: eight slots of 258048 bytes, data from 2 MiB on. */
export function luks1(dataSector = 4096): Buffer {
  const head = Buffer.alloc(8192);
  magic.copy(head);
  head.writeUInt16BE(1, 6);
  head.writeUInt32BE(dataSector, 104);
  head.writeUInt32BE(64, 108);
  for (let slot = 0; slot < 8; slot++) {
    const at = 208 + 48 * slot;
    head.writeUInt32BE(8 + 504 * slot, at + 40);
    head.writeUInt32BE(4000, at + 44);
  }
  return head;
}

/** As `luks2` makes it: one key, data from 16 MiB on to the end. */
export const plainMetadata = {
  keyslots: { 0: { type: 'luks2', area: { type: 'raw', offset: '32768', size: '258048' } } },
  segments: { 0: { type: 'crypt', offset: '16777216', size: 'dynamic', sector_size: 512 } },
  config: { json_size: '12288', keyslots_size: '16744448' },
};

/** `metadata` as text may be no JSON. */
export function luks2(metadata: object | string = plainMetadata, headerBytes = 16384): Buffer {
  const head = Buffer.alloc(headerBytes);
  magic.copy(head);
  head.writeUInt16BE(2, 6);
  head.writeBigUInt64BE(BigInt(headerBytes), 8);
  head.write('sha256', 72, 'latin1');
  head.write(typeof metadata === 'string' ? metadata : JSON.stringify(metadata), 4096, 'utf8');
  createHash('sha256').update(head).digest().copy(head, 448);
  return head;
}

/** The second copy, which begins right behind the first. */
export function luksCopy(first: Buffer): Buffer {
  const copy = Buffer.from(first);
  copy.write('SKUL', 'latin1');
  copy.writeBigUInt64BE(BigInt(first.length), 256);
  copy.fill(0, 448, 512);
  createHash('sha256').update(copy).digest().copy(copy, 448);
  return copy;
}
