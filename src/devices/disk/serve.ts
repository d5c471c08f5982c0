// The ghost's side of a disk left behind: exports it over NBD to the OS it belongs to, under a name that holds the
// epoch, so that a client of an older epoch finds nothing. Each connection is encrypted by the kernel with a secret that
// was handed out for it alone, and has a server of its own; the one before it is ended first.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, fdatasyncSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cipher } from '#core/ciphers.ts';
import { type BlockPlace, findBlockDevice, nodePath } from '#linux/block.ts';
import { streamOf } from '#linux/byte-stream.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { encryptSocket } from '#linux/ktls.ts';
import type { OwnedFd } from '#linux/owned-fd.ts';
import { setBlocking } from '#linux/tcp.ts';
import { acceptTcp, listenTcp } from '#linux/tcp-listener.ts';
import { secretBytes } from '#wire/frames.ts';
import { attachHere, diskHello } from './driver.ts';
import { writeMark } from './left-mark.ts';

/** The export of a disk in an epoch of its OS. */
export const exportNameOf = (device: string, osId: string, epoch: number): string =>
  `${osId}-${device}-${epoch}`;

const runFolder = '/run/yado';
/** Where the agent image keeps what nbdkit loads. */
const modules = '/lib/nbdkit';
/** Who connects must show within this time that it has the key. */
const helloMs = 5000;
/** Of those who have not shown it yet: anybody can connect. */
const mostStrangers = 16;

/** Servers of an agent that has died still use the disk. */
function endFormerServers(): void {
  for (const name of readdirSync(runFolder).filter(each => each.endsWith('.pid'))) {
    const path = join(runFolder, name);
    const pid = Number(readFileSync(path, 'utf8').trim());
    rmSync(path);
    const isServer =
      pid > 1 &&
      existsSync(`/proc/${pid}/comm`) &&
      readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'nbdkit';
    if (isServer) process.kill(pid, 'SIGKILL'); // in order it would answer with errors, see `end`
  }
}

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
  readonly mark: string;
  /** Told why when the disk cannot be marked. */
  readonly unmarked: (why: string) => void;
  readonly say: (text: string) => void;
}

/**
 * Marks the disk, and lets its OS connect from the moment this returns. A connection that is there goes on if this process
 * dies.
 * @throws Error when the disk does not appear, or the port is taken
 */
export async function serveDisk(
  disk: ServedDisk,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<DiskService> {
  await attachHere(disk.place, signal);
  const device = findBlockDevice(disk.place);
  if (!device) throw new Error(`no disk at ${disk.place.pciAddress}`);
  endFormerServers();
  try {
    writeMark(nodePath(device.name), disk.mark);
  } catch (error) {
    disk.unmarked(error instanceof Error ? error.message : String(error));
  }
  const listener = listenTcp(address, port);
  setBlocking(listener.fd, false);
  return new Service(disk, listener);
}

class Service implements DiskService {
  readonly #disk: ServedDisk;
  readonly #abort = new AbortController();
  readonly #accepting: Promise<void>;
  #isAlive = true;
  #secret: Uint8Array | undefined;
  #strangers = 0;
  #server: ChildProcess | undefined;
  /** One at a time: a server begins when the one before it has ended. */
  #turn: Promise<void> = Promise.resolve();

  constructor(disk: ServedDisk, listener: OwnedFd) {
    this.#disk = disk;
    this.#accepting = this.#accept(listener);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  invite(): Uint8Array<ArrayBuffer> {
    this.#secret?.fill(0);
    this.#secret = randomBytes(secretBytes);
    return Uint8Array.from(this.#secret);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#accepting;
    await this.#turn;
    await this.#end();
    const device = findBlockDevice(this.#disk.place);
    if (!device) return;
    const fd = openSync(nodePath(device.name), 'r+'); // sync(2) would wait for the suspended stub of the frozen OS
    fdatasyncSync(fd);
    closeSync(fd);
  }

  async #accept(listener: OwnedFd): Promise<void> {
    const { signal } = this.#abort;
    try {
      for (;;) {
        const socket = await acceptTcp(listener, signal);
        if (this.#strangers < mostStrangers) void this.#greet(socket);
        else socket[Symbol.dispose]();
      }
    } catch (error) {
      if (!signal.aborted) this.#disk.say(`nobody can connect to ${this.#disk.exportName}: ${reason(error)}`);
    } finally {
      this.#isAlive = false;
      listener[Symbol.dispose]();
    }
  }

  /** Nothing is sent, and nothing of the connection before is ended, until this one has shown that it has the key. */
  async #greet(socket: OwnedFd): Promise<void> {
    this.#strangers++;
    try {
      const secret = this.#secret;
      if (!secret) throw new Error('nobody was invited');
      encryptSocket(socket.fd, tlsKeys(secret, 'disk', this.#disk.cipher, 'server'));
      const hello = await streamOf(socket.fd, helloMs, 'the hello', this.#abort.signal).read(diskHello.length);
      if (!hello.equals(diskHello) || secret !== this.#secret) throw new Error('it was not the one invited');
      this.#secret = undefined;
      this.#turn = this.#turn.then(() => this.#begin(socket)).catch(error => this.#refuse(socket, error));
      await this.#turn;
    } catch {
      socket[Symbol.dispose](); // not said: anybody can do this, as often as they like
    } finally {
      this.#strangers--;
    }
  }

  #refuse(socket: OwnedFd, error: unknown): void {
    socket[Symbol.dispose]();
    if (!this.#abort.signal.aborted)
      this.#disk.say(`${this.#disk.exportName} cannot be served: ${reason(error)}`);
  }

  async #begin(connection: OwnedFd): Promise<void> {
    using socket = connection;
    await this.#end();
    this.#abort.signal.throwIfAborted();
    const { exportName, place, say } = this.#disk;
    const device = findBlockDevice(place);
    if (!device) throw new Error(`no disk at ${place.pciAddress}`);
    setBlocking(socket.fd, true);
    const pidFile = join(runFolder, `${exportName}.pid`);
    const options = ['--single', '--log=stderr', '--tls=off', '--pidfile', pidFile];
    const file = [`--filter=${modules}/nbdkit-exportname-filter.so`, `${modules}/nbdkit-file-plugin.so`];
    const what = [nodePath(device.name), `exportname=${exportName}`, 'exportname-strict=true'];
    const server = spawn('/bin/nbdkit', [...options, ...file, ...what], {
      stdio: [socket.fd, socket.fd, 'inherit'],
    });
    this.#server = server;
    server.on('error', error => say(`the disk server did not start: ${error.message}`));
    await Promise.race([once(server, 'spawn'), once(server, 'error')]);
  }

  /** One that ends in order answers requests under way with an error, and the OS would believe its disk broken. */
  async #end(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server || server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
    const exit = once(server, 'exit');
    if (server.kill('SIGKILL')) await exit;
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
