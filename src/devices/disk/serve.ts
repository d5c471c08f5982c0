// The ghost's side of a disk left behind: exports it over NBD to the OS it belongs to, under a name that holds the
// epoch, so that a client of an older epoch finds nothing.
import { closeSync, fdatasyncSync, openSync } from 'node:fs';
import type { Cipher } from '#core/ciphers.ts';
import { type BlockPlace, nodePath } from '#linux/block.ts';
import { setBlocking } from '#linux/tcp.ts';
import { listenTcp } from '#linux/tcp-listener.ts';
import { DiskConnections, nbdkit } from './connections.ts';
import { attachHere } from './driver.ts';
import { endFormerServers } from './former-servers.ts';
import { readMark, writeMark } from './left-mark.ts';
import { findServed } from './volume.ts';

/** The export of a disk in an epoch of its OS. */
export const exportNameOf = (device: string, osId: string, epoch: number): string =>
  `${osId}-${device}-${epoch}`;

export interface DiskService {
  /** False once nobody can connect any more. */
  readonly isAlive: boolean;
  /** The secret of the next connection. Given out anew, one that was not used is worth nothing. */
  invite(): Uint8Array<ArrayBuffer>;
  /** Ends the service; all that was written is on the disk when this returns. */
  stop(): Promise<void>;
}

/** What is served, and to whom it is told. */
export interface ServedDisk {
  readonly place: BlockPlace;
  readonly exportName: string;
  /** Of the connections. */
  readonly cipher: Cipher;
  /** What is to be written on the disk, after what is written there. */
  readonly mark: (before: string | undefined) => string;
  readonly say: (text: string) => void;
}

/**
 * Marks the disk, and lets its OS connect from the moment this returns. A connection that is there goes on if this process
 * dies.
 * @throws Error when the disk does not appear or cannot be marked, a server before this one does not end, or the port is taken
 */
export async function serveDisk(
  disk: ServedDisk,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<DiskService> {
  await attachHere(disk.place, findServed, signal);
  const path = (): string | undefined => {
    const device = findServed(disk.place);
    return device && nodePath(device.name);
  };
  const node = path();
  if (node === undefined) throw new Error(`no disk at ${disk.place.pciAddress}`);
  await endFormerServers(nbdkit.runFolder, signal);
  writeMark(node, disk.mark(readMark(node))); // without it a cold start would run the OS a second time
  const listener = listenTcp(address, port);
  setBlocking(listener.fd, false);
  const { exportName, cipher, say } = disk;
  const connections = new DiskConnections({ exportName, cipher, say, path }, listener);
  return {
    get isAlive() {
      return connections.isAlive;
    },
    invite: () => connections.invite(),
    stop: async () => {
      await connections.stop();
      const fd = openSync(path() ?? node, 'r+'); // sync(2) would wait for the suspended stub of the frozen OS
      fdatasyncSync(fd);
      closeSync(fd);
    },
  };
}
