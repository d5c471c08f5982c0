// For tests only: the beginning of a disk as `cryptsetup luksFormat` leaves it, without keys in it.
import { createHash } from 'node:crypto';

export interface FixtureMetadata {
  readonly config?: object;
  readonly segments?: object;
  readonly keyslots?: object;
}

/** LUKS2 as it is made when nothing else is said: 16 KiB of header twice, keys, data from 16 MiB on. */
export const luks2 = { headerBytes: 16_384, dataStart: 16 * 2 ** 20 } as const;

const area = { type: 'raw', offset: '32768', size: '258048', encryption: 'aes-xts-plain64', key_size: 64 };
export const luks2Segment = {
  type: 'crypt',
  offset: String(luks2.dataStart),
  size: 'dynamic',
  iv_tweak: '0',
  encryption: 'aes-xts-plain64',
  sector_size: 512,
};

export const luks2Metadata = (change: FixtureMetadata = {}): string =>
  JSON.stringify({
    keyslots: { 0: { type: 'luks2', key_size: 64, area } },
    tokens: {},
    segments: { 0: luks2Segment },
    digests: {},
    config: { json_size: '12288', keyslots_size: String(luks2.dataStart - 2 * luks2.headerBytes) },
    ...change,
  });

/** With both headers, of which some are damaged. */
export function luks2Disk(
  json = luks2Metadata(),
  damaged: readonly (1 | 2)[] = [],
  bytes: number = luks2.dataStart + 8192,
): Buffer {
  const disk = Buffer.alloc(bytes);
  for (const number of [1, 2] as const) {
    const start = (number - 1) * luks2.headerBytes;
    const header = disk.subarray(start, start + luks2.headerBytes);
    header.write(number === 1 ? 'LUKS\xba\xbe' : 'SKUL\xba\xbe', 'latin1');
    header.writeUInt16BE(2, 6);
    header.writeBigUInt64BE(BigInt(luks2.headerBytes), 8);
    header.writeBigUInt64BE(3n, 16);
    header.write('sha256', 72);
    header.write('f3cfad2a-65b9-4b06-923a-9296320e4353', 168);
    header.writeBigUInt64BE(BigInt(start), 256);
    header.write(json, 4096);
    createHash('sha256').update(header).digest().copy(header, 448);
    if (damaged.includes(number)) header.write('x', 5000);
  }
  return disk;
}

/** LUKS1 with 512 bits of key: 8 areas for keys, data from 2 MiB on. */
export function luks1Disk(dataSector = 4096): Buffer {
  const disk = Buffer.alloc(2 ** 21 + 8192);
  disk.write('LUKS\xba\xbe', 'latin1');
  disk.writeUInt16BE(1, 6);
  disk.write('aes', 8);
  disk.writeUInt32BE(dataSector, 104);
  disk.writeUInt32BE(64, 108);
  for (let slot = 0; slot < 8; slot++) {
    disk.writeUInt32BE(8 + 504 * slot, 208 + 48 * slot + 40);
    disk.writeUInt32BE(4000, 208 + 48 * slot + 44);
  }
  return disk;
}
