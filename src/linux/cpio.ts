// Archives as the kernel unpacks them into its first root file system: cpio "newc" (Documentation/driver-api/
// early-userspace/buffer-format.rst). Enough for a few small files that only root may read.
import type { AskerKeys, ComputerKeys } from '#core/pins.ts';

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly data?: Uint8Array;
}

const directory = 0o040755;
const privateFile = 0o100600;
/** What follows begins at a multiple of it, whatever it is. */
const blockBytes = 512;

const padded = (bytes: Uint8Array, multiple: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((multiple - (bytes.length % multiple)) % multiple)]);

function encodeEntry({ path, mode, data = new Uint8Array(0) }: Entry, number: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  // number, mode, uid, gid, links, time, size, device (2), special device (2), length of the name, checksum
  const fields = [number, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const head = `070701${fields.map(each => each.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(head), name]), 4), padded(data, 4)]);
}

/** @param entries a folder before what lies in it: the kernel makes none by itself */
export function encodeCpio(entries: readonly Entry[]): Buffer {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }];
  return padded(Buffer.concat(all.map((entry, index) => encodeEntry(entry, index + 1))), blockBytes);
}

/**
 * The keys of a computer, for its standby image: goes before it or behind it.
 * @param asker with which it asks, in the name of an OS, where that one is
 */
export function keysArchive(keys: ComputerKeys, asker?: AskerKeys): Buffer {
  const file = (name: string, text: object): Entry => ({
    path: `etc/yadokari/${name}.json`,
    mode: privateFile,
    data: Buffer.from(JSON.stringify(text)),
  });
  return encodeCpio([
    { path: 'etc', mode: directory },
    { path: 'etc/yadokari', mode: directory },
    file('computer', keys),
    ...(asker ? [file('asker', asker)] : []),
  ]);
}
