// The host's side of the root command channel: one Channel a computer, one CommandBook a lab.
// A command belongs to the OS, not to the computer: sent through A, its answer may come out of B after a move.
// Never runs a command twice: it is sent again only under the same id and only to the boot it was meant for.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  askText,
  bootstrapLines,
  type ConsoleLine,
  joinPieces,
  parseConsoleLine,
  probeText,
  runText,
} from './console-lines.ts';
import { LabError } from './lab-error.ts';
import { repositoryDir } from './paths.ts';
import { connectUnix } from './qmp.ts';
import { scaled, waitFor } from './time.ts';

/** What a command inside a computer left: exit code, and stdout and stderr together. */
export interface ExecResult {
  readonly code: number;
  readonly output: string;
  readonly bytes: Buffer;
}

interface Pending {
  readonly pieces: Map<number, string>;
  readonly settled: Promise<ExecResult>;
  readonly resolve: (result: ExecResult) => void;
  accepted: boolean;
  /** Boot id of the system it was last sent to. */
  boot: string | undefined;
  /** How often it was sent, and how often that was refused by another boot: equal means it ran nowhere. */
  sent: number;
  stale: number;
}

/** One computer's second serial port. */
export class Channel {
  readonly name: string;
  readonly #socket: Socket;
  /** Boot id of the system that answers here; undefined until it has said hello. */
  boot: string | undefined;
  closed = false;
  #bootstrapping = false;

  private constructor(name: string, socket: Socket, take: (channel: Channel, line: ConsoleLine) => void) {
    this.name = name;
    this.#socket = socket;
    let rest = '';
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = (lines.pop() ?? '').slice(-8192); // a line is never so long: garbage without an end is cut
      for (const text of lines) {
        const line = parseConsoleLine(text);
        if (line) take(this, line);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
  }

  /** Opens the port behind the unix socket `path`. */
  static async open(name: string, path: string, book: CommandBook): Promise<Channel> {
    const channel = new Channel(name, await connectUnix(path), (from, line) => book.take(from, line));
    book.channels.add(channel);
    channel.#socket.on('close', () => book.channels.delete(channel));
    return channel;
  }

  /** Writes to the port. */
  send(text: string): void {
    if (!this.closed) this.#socket.write(text, 'latin1');
  }

  /** The computer was reset: whatever answered here is gone. */
  forget(): void {
    this.boot = undefined;
  }

  /** Turns a plain shell at the port into the loop. */
  async bootstrap(): Promise<void> {
    if (this.#bootstrapping) return;
    this.#bootstrapping = true;
    const loop = readFileSync(join(repositoryDir, 'lab', 'workload', 'console-loop.sh'), 'utf8');
    for (const line of bootstrapLines(loop)) {
      this.send(`${line}\n`);
      await delay(scaled(30)); // a shell without line editing may lose what comes while it starts a program
    }
    await delay(scaled(1500));
    this.#bootstrapping = false;
  }

  /** Waits until the loop answers; gives its boot id. @throws LabError after `timeoutMs`. */
  ready(timeoutMs: number): Promise<string> {
    return waitFor(
      `the command channel of ${this.name}`,
      () => {
        if (this.boot !== undefined) return this.boot;
        if (this.closed) throw new LabError(`computer ${this.name} is off`, `yado lab boot ${this.name}`);
        if (!this.#bootstrapping) this.send(probeText);
        return undefined;
      },
      { timeoutMs, everyMs: scaled(1000) },
    );
  }

  /** Closes the port's connection. */
  close(): void {
    this.#socket.destroy();
  }
}

/** All commands under way in one lab. */
export class CommandBook {
  readonly channels = new Set<Channel>();
  readonly #pending = new Map<string, Pending>();
  readonly #done: string[] = [];
  readonly #session = randomBytes(5).toString('hex');
  #count = 0;

  /** Takes one line from a channel. */
  take(channel: Channel, line: ConsoleLine): void {
    if (line.kind === 'hello') channel.boot = line.boot;
    if (line.kind === 'shell') {
      channel.boot = undefined;
      void channel.bootstrap();
    }
    if (!('id' in line)) return;
    const pending = this.#pending.get(line.id);
    if (!pending) return;
    if (line.kind === 'stale') {
      pending.stale++;
      channel.boot = undefined;
      return;
    }
    if (line.kind === 'unknown') return;
    this.#movedTo(channel, pending.boot);
    if (line.kind === 'piece') {
      pending.pieces.set(line.index, line.base64);
    } else if (line.kind === 'end') {
      const bytes = joinPieces(pending.pieces, line.pieces, line.md5);
      if (bytes) pending.resolve({ code: line.code, output: bytes.toString(), bytes });
      else channel.send(askText(line.id));
    } else {
      pending.accepted = true;
    }
  }

  /** The system of `boot` answers at `channel`: what was known of that port before, and of its old port, is over. */
  #movedTo(channel: Channel, boot: string | undefined): void {
    if (boot === undefined || channel.boot === boot) return;
    for (const each of this.channels) if (each.boot === boot) each.forget();
    channel.boot = boot;
  }

  /**
   * Runs a shell command as root in whatever runs at `channel`, once.
   * @throws LabError when no answer came in `timeoutMs`, or when it cannot be known whether it ran.
   */
  async exec(channel: Channel, command: string, timeoutMs: number): Promise<ExecResult> {
    const id = `${this.#session}-${++this.#count}`;
    const { promise, resolve } = Promise.withResolvers<ExecResult>();
    const pending: Pending = {
      pieces: new Map(),
      settled: promise,
      resolve,
      accepted: false,
      boot: undefined,
      sent: 0,
      stale: 0,
    };
    this.#pending.set(id, pending);
    try {
      return await this.#follow(channel, id, pending, command, Date.now() + timeoutMs);
    } finally {
      this.#pending.delete(id);
      this.#done.push(id);
    }
  }

  async #follow(
    channel: Channel,
    id: string,
    pending: Pending,
    command: string,
    deadline: number,
  ): Promise<ExecResult> {
    const forgotten = this.#done.shift() ?? '-';
    for (;;) {
      const leftMs = deadline - Date.now();
      const what = `"${command.slice(0, 80)}" on ${channel.name}`;
      if (leftMs <= 0) {
        throw new LabError(
          `${what} ${pending.accepted ? 'has not ended' : 'was not taken'} in time`,
          `yado lab log ${channel.name}`,
        );
      }
      if (!pending.accepted) {
        const now = await channel.ready(leftMs);
        if (pending.boot !== undefined && now !== pending.boot && pending.sent !== pending.stale) {
          throw new LabError(`${channel.name} was started again: ${what} may or may not have run`);
        }
        pending.boot = now;
        if (pending.sent > pending.stale) channel.send(probeText);
        channel.send(runText(now, id, forgotten, command));
        pending.sent++;
      } else {
        for (const each of this.channels) each.send(askText(id));
      }
      const step = delay(Math.min(leftMs, scaled(pending.accepted ? 4000 : 3000)), undefined, { ref: false });
      const taken = waitUntil(() => pending.stale === pending.sent);
      const result = await Promise.race([
        pending.settled,
        step,
        ...(pending.accepted ? [] : [taken.promise]),
      ]);
      taken.stop();
      if (result) return result;
    }
  }
}

/** A promise that ends when `condition` holds, looked at every 20 ms until stopped. */
function waitUntil(condition: () => boolean): { promise: Promise<undefined>; stop: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setInterval(() => condition() && resolve(undefined), 20);
  return { promise, stop: () => clearInterval(timer) };
}
