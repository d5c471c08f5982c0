// QEMU's monitor protocol: one JSON object a line over a unix socket. Commands are answered in order.
// Never retries: a monitor that is gone means a computer that is gone.

import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { LabError } from './lab-error.ts';
import { scaled, waitFor } from './time.ts';

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Connects to a unix socket that may not be there yet. @throws LabError after 10 s. */
export function connectUnix(path: string): Promise<Socket> {
  return waitFor(
    `${path}`,
    () =>
      new Promise<Socket | undefined>(resolve => {
        const socket = connect(path);
        socket.once('connect', () => resolve(socket));
        socket.once('error', () => resolve(undefined));
      }),
    { timeoutMs: scaled(10_000), everyMs: 50 },
  );
}

/** One open monitor. */
export class Monitor {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  /** Names of the events seen, oldest first (RESET, SHUTDOWN, …). */
  readonly events: string[] = [];
  /** Told of each event as it comes. */
  onEvent: (name: string) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const each of this.#waiting.splice(0)) each.reject(new LabError('the computer is off'));
    });
    const lines = createInterface({ input: socket });
    lines.on('line', line => this.#take(JSON.parse(line) as Reply));
    lines.on('error', () => {}); // the socket's own handlers above deal with it
  }

  /** Opens the monitor at `path` and leaves its negotiation mode. */
  static async open(path: string): Promise<Monitor> {
    const monitor = new Monitor(await connectUnix(path));
    await monitor.execute('qmp_capabilities');
    return monitor;
  }

  #take(reply: Reply): void {
    if (reply.event !== undefined) {
      this.events.push(reply.event);
      this.onEvent(reply.event);
    } else if (reply.error) this.#waiting.shift()?.reject(new LabError(`QEMU: ${reply.error.desc}`));
    else if ('return' in reply) this.#waiting.shift()?.resolve(reply.return);
  }

  /** Runs one command; gives its `return` value. @throws LabError with QEMU's words. */
  execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    if (this.#socket.destroyed) return Promise.reject(new LabError('the computer is off'));
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    return answer;
  }

  /** Closes the connection; the computer runs on. */
  close(): void {
    this.#socket.destroy();
  }
}
