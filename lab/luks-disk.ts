// A disk of the lab in a LUKS container, and what is in it: made and read without the kernel's help, for this machine may
// have no device-mapper. The header is cryptsetup's work, the data aes-xts-plain64 in sectors of 512 bytes.
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import type { OsFile } from './os-recipe.ts';
import { run } from './process.ts';

const sectorBytes = 512;
const pieceBytes = 4 * 2 ** 20;
/** cryptsetup's default: where the data begins. */
const headerMiB = 16;
const uuid = '0b5cf0a1-7d1e-4c6c-9f3d-20ab5e11ab1e';
/** Nothing here is secret: the same key for all labs. */
const passphrase = 'crab';
const volumeKey = createHash('sha512').update('the volume key of the lab').digest();
const keyFile = '/etc/crab.key';

/** What a person with such a disk has in the OS, with a key file in the initramfs, for nobody sits at the console. */
export const luksFiles: readonly OsFile[] = [
  { path: '/etc/crypttab', text: `crab_crypt UUID=${uuid} ${keyFile} luks,initramfs,discard\n` },
  { path: keyFile, text: passphrase, mode: 0o400 },
  { path: '/etc/cryptsetup-initramfs/conf-hook', text: 'KEYFILE_PATTERN="/etc/*.key"\n' },
  { path: '/etc/initramfs-tools/conf.d/umask', text: 'UMASK=0077\n' },
  // In a chroot the hook of cryptsetup cannot look at what is unlocked.
  { path: '/etc/initramfs-tools/modules', text: 'dm_crypt\naes_generic\nxts\n' },
];

/** The file `plain`, in a container, from `startMiB` of the image `disk` on. */
export async function encryptInto(
  disk: string,
  startMiB: number,
  plain: string,
  plainMiB: number,
): Promise<void> {
  const container = `${disk}.luks`;
  const key = `${disk}.key`;
  try {
    writeFileSync(key, volumeKey);
    writeFileSync(container, '');
    truncateSync(container, (headerMiB + plainMiB) * 2 ** 20);
    const cipher = ['--cipher', 'aes-xts-plain64', '--key-size', '512', '--sector-size', `${sectorBytes}`];
    const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--batch-mode'];
    await run(
      [
        ...['cryptsetup', 'luksFormat', '--type', 'luks2', '--uuid', uuid, '--volume-key-file', key],
        ...[...cipher, ...quick, container, '-'],
      ],
      { input: passphrase },
    );
    convert(container, disk, { length: headerMiB, to: startMiB }, (_, bytes) => bytes);
    convert(plain, disk, { length: plainMiB, to: startMiB + headerMiB }, xts(createCipheriv));
  } finally {
    for (const each of [container, key]) rmSync(each, { force: true });
  }
}

/** What is in the container that begins at `startMiB` of `disk`. */
export function decryptFrom(disk: string, startMiB: number, plain: string, plainMiB: number): void {
  writeFileSync(plain, '');
  convert(disk, plain, { length: plainMiB, from: startMiB + headerMiB }, xts(createDecipheriv));
}

type Change = (sector: number, bytes: Buffer) => Buffer;

const xts =
  (make: typeof createCipheriv | typeof createDecipheriv): Change =>
  (sector, bytes) => {
    const tweak = Buffer.alloc(16);
    tweak.writeBigUInt64LE(BigInt(sector));
    return make('aes-256-xts', volumeKey, tweak).update(bytes);
  };

/** MiB */
interface Part {
  readonly length: number;
  readonly from?: number;
  readonly to?: number;
}

function convert(source: string, target: string, { length, from = 0, to = 0 }: Part, change: Change): void {
  const [input, output] = [openSync(source, 'r'), openSync(target, 'r+')];
  const piece = Buffer.alloc(pieceBytes);
  try {
    for (let done = 0; done < length * 2 ** 20; done += pieceBytes) {
      piece.fill(0);
      readSync(input, piece, 0, pieceBytes, from * 2 ** 20 + done);
      for (let at = 0; at < pieceBytes; at += sectorBytes)
        change((done + at) / sectorBytes, piece.subarray(at, at + sectorBytes)).copy(piece, at);
      writeSync(output, piece, 0, pieceBytes, to * 2 ** 20 + done);
    }
  } finally {
    closeSync(input);
    closeSync(output);
  }
}
