// The connections of the OS to a disk that is served to it. Each is encrypted by the kernel with a secret that was handed
// out for it alone, and has a server of its own; the one before it is ended first.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Cipher } from '#core/ciphers.ts';
import { streamOf } from '#linux/byte-stream.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { encryptSocket } from '#linux/ktls.ts';
import type { OwnedFd } from '#linux/owned-fd.ts';
import { SystemError } from '#linux/system-error.ts';
import { setBlocking } from '#linux/tcp.ts';
import { acceptTcp } from '#linux/tcp-listener.ts';
import { secretBytes } from '#wire/frames.ts';
import { diskHello } from './driver.ts';
import { noteServer } from './former-servers.ts';

/** Who connects must show within this time that it has the key. */
const helloMs = 5000;
/** Of those who have not shown it yet; a newer one drives out the oldest, so that a crowd keeps nobody out. */
const mostStrangers = 16;

/** Where the agent image has nbdkit, and where its servers leave their numbers. */
export const nbdkit = { program: '/bin/nbdkit', modules: '/lib/nbdkit', runFolder: '/run/yado' } as const;

export interface ExportedDisk {
  readonly exportName: string;
  /** Of the connections. */
  readonly cipher: Cipher;
  /** The block device, undefined while there is none. */
  readonly path: () => string | undefined;
  readonly say: (text: string) => void;
  readonly nbdkit?: { readonly program: string; readonly modules: string; readonly runFolder: string };
  /** For tests on kernels that cannot. */
  readonly encrypt?: typeof encryptSocket;
}

export class DiskConnections {
  readonly #disk: ExportedDisk;
  readonly #abort = new AbortController();
  readonly #accepting: Promise<void>;
  #isAlive = true;
  #secret: Uint8Array | undefined;
  /** Those who have not shown the key yet, oldest first. */
  readonly #strangers = new Set<AbortController>();
  #isUnable = false;
  #server: ChildProcess | undefined;
  /** One at a time: a server begins when the one before it has ended. */
  #turn: Promise<void> = Promise.resolve();

  /** @param listener non-blocking; closed by `stop` */
  constructor(disk: ExportedDisk, listener: OwnedFd) {
    this.#disk = disk;
    this.#accepting = this.#accept(listener);
  }

  /** False once nobody can connect any more. */
  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** The secret of the next connection. Given out anew, one that was not used is worth nothing. */
  invite(): Uint8Array<ArrayBuffer> {
    this.#secret?.fill(0);
    this.#secret = randomBytes(secretBytes);
    return Uint8Array.from(this.#secret);
  }

  /** What the server had taken on is with the kernel when this returns. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#accepting;
    await this.#turn;
    await this.#end();
  }

  async #accept(listener: OwnedFd): Promise<void> {
    const { signal } = this.#abort;
    try {
      for (;;) {
        void this.#greet(await acceptTcp(listener, signal));
        const [oldest] = this.#strangers;
        if (this.#strangers.size > mostStrangers) oldest?.abort();
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
    const stranger = new AbortController();
    this.#strangers.add(stranger);
    try {
      const secret = this.#secret;
      if (!secret) throw new Error('nobody was invited');
      this.#encrypt(socket.fd, secret);
      const signal = AbortSignal.any([this.#abort.signal, stranger.signal]);
      const hello = await streamOf(socket.fd, helloMs, 'the hello', signal).read(diskHello.length);
      if (!hello.equals(diskHello) || secret !== this.#secret) throw new Error('it was not the one invited');
      this.#secret = undefined;
      secret.fill(0);
      this.#strangers.delete(stranger);
      this.#turn = this.#turn.then(() => this.#begin(socket)).catch(error => this.#refuse(socket, error));
      await this.#turn;
    } catch {
      socket[Symbol.dispose](); // not said: anybody can do this, as often as they like
    } finally {
      this.#strangers.delete(stranger);
    }
  }

  #encrypt(fd: number, secret: Uint8Array): void {
    const encrypt = this.#disk.encrypt ?? encryptSocket;
    try {
      encrypt(fd, tlsKeys(secret, 'disk', this.#disk.cipher, 'server'));
    } catch (error) {
      const isGone = error instanceof SystemError && error.code === 'ENOTCONN';
      if (!isGone && !this.#isUnable) {
        this.#isUnable = true; // said once: it will not learn it
        this.#disk.say(
          `the kernel does not encrypt connections to ${this.#disk.exportName}: ${reason(error)}`,
        );
      }
      throw error;
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
    const { exportName, say } = this.#disk;
    const path = this.#disk.path();
    if (path === undefined) throw new Error('its disk is not there');
    const { program, modules, runFolder } = this.#disk.nbdkit ?? nbdkit;
    setBlocking(socket.fd, true);
    const server = spawn(program, serverArguments(modules, path, exportName), {
      stdio: [socket.fd, socket.fd, 'inherit'],
    });
    this.#server = server;
    if (server.pid !== undefined) noteServer(runFolder, exportName, server.pid);
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

/** Nobody's. */
const anotherGroup = 65_534;

/**
 * A write is answered when the disk itself has it (FUA): whoever was answered goes on while this computer loses its power,
 * and never sends it again. A flush that comes after that would not bring it back. Nothing is kept in memory here: the OS keeps
 * it there, and a standby needs its memory to take an OS in.
 *
 * It outlives the agent that started it. By itself it would not: with --single it has the kernel send it SIGTERM when that dies,
 * and would end in order, which is with an error for every request (see `#end`). The kernel forgets that when a process changes
 * its group; as root it needs none.
 */
export function serverArguments(modules: string, path: string, exportName: string): string[] {
  const filters = ['exportname', 'fua'].map(name => `--filter=${modules}/nbdkit-${name}-filter.so`);
  const options = [
    '--single',
    `--group=${anotherGroup}`,
    '--log=stderr',
    '--tls=off',
    ...filters,
    `${modules}/nbdkit-file-plugin.so`,
  ];
  return [
    ...options,
    path,
    `exportname=${exportName}`,
    'exportname-strict=true',
    'fuamode=force',
    'cache=none',
  ];
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
