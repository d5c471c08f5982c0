// The ghost's side of a disk left behind: exports it over NBD to the OS it belongs to, under a name that holds the
// epoch, so that a client of an older epoch finds nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, fdatasyncSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type BlockPlace, findBlockDevice, nodePath } from '#linux/block.ts';
import { waitUntil } from '#managers/wait.ts';
import { attachHere } from './driver.ts';
import { writeMark } from './left-mark.ts';

/** The export of a disk in an epoch of its OS. */
export const exportNameOf = (device: string, osId: string, epoch: number): string =>
  `${osId}-${device}-${epoch}`;

const runFolder = '/run/yado';

/** Servers of an agent that has died hold the port. */
function endFormerServers(): void {
  for (const name of readdirSync(runFolder).filter(each => each.endsWith('.pid'))) {
    const path = join(runFolder, name);
    const pid = Number(readFileSync(path, 'utf8').trim());
    rmSync(path);
    const isServer =
      pid > 1 &&
      existsSync(`/proc/${pid}/comm`) &&
      readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'nbdkit';
    if (isServer) process.kill(pid, 'SIGKILL'); // in order it would answer with errors, see `stop`
  }
}

/** Where the agent image keeps what nbdkit loads. */
const modules = '/lib/nbdkit';

export interface DiskService {
  /** False once the server has ended by itself. */
  readonly isAlive: boolean;
  /** Ends the service; all that was written is on the disk when this returns. */
  stop(): Promise<void>;
}

/**
 * Marks the disk at `place` with `mark`, starts a server for it and returns when it listens. It goes on serving if this
 * process dies. `unmarked` is told why when the disk cannot be marked.
 * @throws Error when the disk does not appear, the port is taken, or the server does not start
 */
export async function serveDisk(
  place: BlockPlace,
  exportName: string,
  { mark, unmarked }: { readonly mark: string; readonly unmarked: (why: string) => void },
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<DiskService> {
  await attachHere(place, signal);
  const device = findBlockDevice(place);
  if (!device) throw new Error(`no disk at ${place.pciAddress}`);
  const ready = join(runFolder, `${exportName}.pid`);
  endFormerServers();
  const options = ['--foreground', '--log=stderr', '--tls=off', '--pidfile', ready];
  const where = ['--ipaddr', address, '--port', String(port)];
  const file = [`--filter=${modules}/nbdkit-exportname-filter.so`, `${modules}/nbdkit-file-plugin.so`];
  const path = nodePath(device.name);
  try {
    writeMark(path, mark);
  } catch (error) {
    unmarked(error instanceof Error ? error.message : String(error));
  }
  const what = [path, `exportname=${exportName}`, 'exportname-strict=true'];
  const server = spawn('/bin/nbdkit', [...options, ...where, ...file, ...what], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let ended: string | undefined;
  server.on('error', error => (ended = error.message));
  server.on('exit', (code, by) => (ended = `it ended with ${by ?? code}`));
  await waitUntil(
    'the disk server',
    () => {
      if (ended !== undefined) throw new Error(`the disk server did not start: ${ended}`);
      return existsSync(ready) ? true : undefined;
    },
    { timeoutMs: 20_000, everyMs: 10, signal },
  );
  return {
    get isAlive() {
      return ended === undefined;
    },
    stop: async () => {
      const exit = once(server, 'exit');
      // A server that ends in order answers requests under way with an error, and the OS would believe its disk broken.
      if (ended === undefined && server.kill('SIGKILL')) await exit;
      const fd = openSync(path, 'r+'); // sync(2) would wait for the suspended stub of the frozen OS
      fdatasyncSync(fd);
      closeSync(fd);
    },
  };
}
