// The managers' own drivers for printers: a port of this computer, and a printer of another one, which its ghost or its
// standby feeds. Both take numbered bytes and say up to which number the printer has them.

import { constants, type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ioctl } from '#linux/ffi.ts';
import { ask, type Peer } from '#managers/control-client.ts';
import { awayStatus, printerStatus } from './translate.ts';

export interface PrintAnswer {
  /** The printer has every byte before this number. */
  readonly delivered: number;
  readonly status: number;
}

export interface PrinterDriver extends AsyncDisposable {
  /** Prints what it can of `data`, whose first byte has the number `first`. No data: only asks for the status. */
  print(first: number, data: Uint8Array, signal: AbortSignal): Promise<PrintAnswer>;
}

const lpGetStatus = 0x060b;
/** The port driver copies page by page and holds the caller for the time the printer needs. */
const portBytes = 16 * 1024;
const busyWaitMs = 50;

/** The port at `path` ("/dev/lp0"); held open only while something is printed, as programs do. */
export class PortDriver implements PrinterDriver {
  readonly #path: string;
  readonly #patienceMs: number;
  #port: FileHandle | undefined;

  /** @param patienceMs how long one `print` may wait for a printer that takes nothing */
  constructor(path: string, patienceMs: number) {
    this.#path = path;
    this.#patienceMs = patienceMs;
  }

  async print(first: number, data: Uint8Array, signal: AbortSignal): Promise<PrintAnswer> {
    this.#port ??= await open(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    const end = performance.now() + this.#patienceMs;
    let at = 0;
    while (at < data.length && performance.now() < end && !signal.aborted) {
      const count = await this.#write(data.subarray(at, at + portBytes));
      at += count;
      if (count === 0) await sleep(busyWaitMs);
    }
    return { delivered: first + at, status: this.#status() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    await port?.close();
  }

  /** 0 when the printer takes nothing now (busy, off line, out of paper). */
  async #write(data: Uint8Array): Promise<number> {
    try {
      return (await this.#port!.write(data)).bytesWritten;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (['EAGAIN', 'EINTR', 'EIO', 'ENOSPC'].includes(code)) return 0;
      throw error;
    }
  }

  #status(): number {
    const status = Buffer.alloc(4);
    ioctl(this.#port!.fd, lpGetStatus, status, 'printer status');
    return printerStatus(status.readInt32LE(0));
  }
}

/** A printer at another computer, used in `epoch` of the OS. */
export class RemoteDriver implements PrinterDriver {
  readonly #peer: Peer;
  readonly #device: string;
  readonly #user: { readonly osId: string; readonly epoch: number };

  constructor(peer: Peer, device: string, user: { readonly osId: string; readonly epoch: number }) {
    this.#peer = peer;
    this.#device = device;
    this.#user = user;
  }

  async print(first: number, data: Uint8Array, signal: AbortSignal): Promise<PrintAnswer> {
    const request = { ...this.#user, device: this.#device, first, data: Uint8Array.from(data) };
    return ask(this.#peer, 'print', request, { timeoutMs: 15_000, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** What is known of a printer that cannot be asked. */
export const awayAnswer = (first: number): PrintAnswer => ({ delivered: first, status: awayStatus });
