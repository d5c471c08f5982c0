// The driver for a printer at a port of this computer, parallel or USB. Nothing here waits in the main thread: the
// kernel's drivers for printers let callers wait, for a status too.
import { constants, type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { C } from '#linux/abi.ts';
import { ioctlLater, poll, waitFd } from '#linux/ffi.ts';
import { findPort, listPrinterPorts, nodeOf } from '#linux/printer-ports.ts';
import { SystemError } from '#linux/system-error.ts';
import type { Piece, PrintAnswer, PrinterDriver } from './driver.ts';
import type { PrinterPlace } from './state.ts';
import { printerStatus, readyStatus } from './translate.ts';

/** What is given to the port at a time at most: so much may be printed twice when the agent is killed in that moment. */
export const portPieceBytes = 8 * 1024;
/** A write to a port that does not buffer is at least so long. */
const leastWriteBytes = 64;
/** A write is made as long as lasts about this time: lp's cannot be ended before a printer, however slow, has all of it. */
const writeMs = 50;
const busyWaitMs = 20;
const statusEveryMs = 1000;
const settleMs = 1500;
/** The printer takes nothing now: busy, off line, out of paper. usblp and lp say so in different words. */
const busy = ['EAGAIN', 'EINTR', 'EIO', 'ENOSPC'];

/** What the driver needs of a port; tests have one of their own. */
export interface Port extends AsyncDisposable {
  /** True when a write returns before the printer has the bytes, and closing would lose them. */
  readonly buffers: boolean;
  write(data: Uint8Array): Promise<number>;
  /** Resolves when the printer has what was written; false after `timeoutMs`. @throws when it is gone */
  drained(timeoutMs: number): Promise<boolean>;
  status(): Promise<number>;
}

export type PortPlace = Exclude<PrinterPlace, { kind: 'ipp' }>;

export class PortDriver implements PrinterDriver {
  readonly wholeJobs = false;
  readonly pieceBytes = portPieceBytes;
  readonly #open: () => Promise<Port>;
  readonly #patienceMs: number;
  #port: Port | undefined;
  /** Bytes the port has and the printer perhaps not yet. */
  #buffered = 0;
  /** What is given in one write. */
  #writeBytes = 4 * leastWriteBytes;
  #status = { value: readyStatus, at: -Infinity };

  constructor(place: PortPlace, patienceMs: number, openPort: () => Promise<Port> = () => openAt(place)) {
    this.#open = openPort;
    this.#patienceMs = patienceMs;
  }

  async print({ first, data }: Piece, signal: AbortSignal): Promise<PrintAnswer> {
    const end = performance.now() + this.#patienceMs;
    let at = 0;
    try {
      this.#port ??= await this.#openFree(end);
      if (!this.#port) return { delivered: first, received: first, status: this.#status.value };
      // What the port still has of the last piece is the beginning of this one, which begins with what is not printed.
      while (at < data.length && !signal.aborted) {
        const count = await this.#give(data.subarray(at), end);
        at += count;
        if (performance.now() > end) break;
        if (count === 0) await sleep(busyWaitMs);
      }
      await this.#askStatus(at < data.length);
      // Others may print on the port by themselves, one at a time, as long as nothing comes from here.
      if (data.length === 0) await this[Symbol.asyncDispose]();
    } catch (error) {
      await this[Symbol.asyncDispose]();
      if (at === 0) throw error; // what was printed counts; the next piece meets the same error
    }
    return { delivered: first + at, received: first + at, status: this.#status.value };
  }

  async settle(delivered: number): Promise<number | undefined> {
    if (this.#buffered === 0) return delivered;
    try {
      if (!(await this.#port?.drained(settleMs))) return undefined;
    } catch {
      return undefined;
    }
    const settled = delivered + this.#buffered;
    this.#buffered = 0;
    return settled;
  }

  /** A printer that was unplugged is looked for anew, and gets again what it cannot have had. */
  async [Symbol.asyncDispose](): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    this.#buffered = 0;
    await port?.[Symbol.asyncDispose]();
  }

  /** Undefined while another program has the port: it is waited for, as programs do. */
  async #openFree(end: number): Promise<Port | undefined> {
    for (;;) {
      try {
        return await this.#open();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      }
      if (performance.now() > end) return undefined;
      await sleep(busyWaitMs);
    }
  }

  /** Count of the bytes the printer has taken. */
  async #give(data: Uint8Array, end: number): Promise<number> {
    const port = this.#port!;
    if (!port.buffers) return this.#writeSome(data);
    if (this.#buffered === 0) this.#buffered = await this.#write(data.subarray(0, portPieceBytes));
    if (this.#buffered === 0 || !(await port.drained(Math.max(0, end - performance.now())))) return 0;
    const taken = this.#buffered;
    this.#buffered = 0;
    return taken;
  }

  async #writeSome(data: Uint8Array): Promise<number> {
    const started = performance.now();
    const written = await this.#write(data.subarray(0, this.#writeBytes));
    const ms = performance.now() - started;
    if (ms > writeMs) this.#writeBytes = Math.max(leastWriteBytes, this.#writeBytes / 2);
    else if (ms < writeMs / 2 && written === this.#writeBytes)
      this.#writeBytes = Math.min(portPieceBytes, this.#writeBytes * 2);
    return written;
  }

  async #write(data: Uint8Array): Promise<number> {
    try {
      return await this.#port!.write(data);
    } catch (error) {
      if (busy.includes((error as NodeJS.ErrnoException).code ?? '')) return 0;
      throw error;
    }
  }

  /** A printer that prints without saying how it is (a USB printer that cannot) is believed to be as it was. */
  async #askStatus(stuck: boolean): Promise<void> {
    const now = performance.now();
    if (!stuck && now < this.#status.at + statusEveryMs) return;
    const value = await this.#port!.status().then(printerStatus, () => this.#status.value);
    this.#status = { value, at: now };
  }
}

async function openAt(place: PortPlace): Promise<Port> {
  const found = findPort(listPrinterPorts(), place);
  if (!found) throw new Error(`the printer ${place.name} is not plugged in`);
  const file = await open(nodeOf(found), constants.O_WRONLY | constants.O_NONBLOCK);
  return new KernelPort(file, found.kind === 'usb');
}

class KernelPort implements Port {
  /** usblp sends in the background, and drops at close what the printer has not taken (drivers/usb/class/usblp.c). */
  readonly buffers: boolean;
  readonly #file: FileHandle;

  constructor(file: FileHandle, buffers: boolean) {
    this.#file = file;
    this.buffers = buffers;
  }

  async write(data: Uint8Array): Promise<number> {
    return (await this.#file.write(data)).bytesWritten;
  }

  async drained(timeoutMs: number): Promise<boolean> {
    const { fd } = this.#file;
    try {
      await waitFd(fd, 'writable', { timeoutMs, what: 'printer' });
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ETIMEDOUT') return false;
      throw error;
    }
    if (poll(fd, C.POLLOUT, 0) & C.POLLHUP) throw new Error('the printer was unplugged');
    return true;
  }

  async status(): Promise<number> {
    const status = Buffer.alloc(4);
    await ioctlLater(this.#file.fd, C.LPGETSTATUS, status, 'printer status');
    return status.readInt32LE(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
