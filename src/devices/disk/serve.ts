// The ghost's side of a disk left behind: exports it over NBD to the OS it belongs to, under a name that holds the
// epoch, so that a client of an older epoch finds nothing.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { type BlockPlace, findBlockDevice, nodePath } from '#linux/block.ts';
import { attachHere } from './driver.ts';

/** Starts a server for the disk at `place` and returns when it listens. */
export async function serveDisk(
  place: BlockPlace,
  exportName: string,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<void> {
  await attachHere(place, signal);
  const device = findBlockDevice(place);
  if (!device) throw new Error(`no disk at ${place.pciAddress}`);
  const config = '/run/yado/nbd-server.conf';
  const lines = [
    '[generic]',
    `listenaddr = ${address}`,
    `port = ${port}`,
    'allowlist = false',
    `[${exportName}]`,
    `exportname = ${nodePath(device.name)}`,
    'flush = true',
    'fua = true',
    'trim = true',
    '',
  ];
  writeFileSync(config, lines.join('\n'), { mode: 0o600 });
  // It goes into the background once it listens, and forks for every client.
  await promisify(execFile)('/bin/nbd-server', ['-C', config]);
}
