// The ghost's side of a disk left behind: exports it over NBD to the OS it belongs to, under a name that holds the
// epoch, so that a client of an older epoch finds nothing.
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type BlockPlace, findBlockDevice, nodePath } from '#linux/block.ts';
import { attachHere } from './driver.ts';

/** Starts a server for the disk at `place`. It ends with this process. */
export async function serveDisk(
  place: BlockPlace,
  exportName: string,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<ChildProcess> {
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
  // -n: stay in the foreground, a child per client; all are in the ghost's group and end with it.
  return spawn('/bin/nbd-server', ['-n', '-C', config], { stdio: 'ignore' });
}
