// The ghost's and the standby's side of a printer that was left behind or is lent: takes numbered bytes of the OS it belongs to, prints each
// once, and answers how far the printer is. It takes some in advance, so that the printer need not wait for the network;
// the OS keeps them until they are printed.
import { yadoError } from '#core/errors.ts';
import { listPrinterPorts } from '#linux/printer-ports.ts';
import { maxPrintBytes } from '#wire/control.ts';
import type { Lendable, LentService } from '../service.ts';
import { driverOf, type Piece, type PrintAnswer, type PrinterDriver } from './driver.ts';
import type { PrinterPlace } from './state.ts';
import { awayStatus } from './translate.ts';

/** An answer comes within this time, or somewhat more, also from a printer that takes nothing. */
const patienceMs = 1000;
/** One to bytes there is no room for comes later, so that they are not sent too often. */
const fullMs = 5000;
/** So much is taken in advance. */
const aheadBytes = 2 * maxPrintBytes;

export const lendPrinter: Lendable = {
  messages: ['print'],
  open: async () => {
    const port = listPrinterPorts()[0];
    if (!port) throw new Error('no printer is plugged in');
    const { kind, name, identity } = port;
    return { typeName: `printer at ${name}`, service: PrinterService.of({ kind, name, identity }) };
  },
};

export class PrinterService implements LentService {
  readonly #driver: PrinterDriver;
  /** Taken and not given to the driver yet, without gaps. */
  #queue: Piece[] = [];
  #received: number | undefined;
  #delivered: number;
  #last: PrintAnswer | undefined;
  /** Told once, as is an error. */
  #note: string | undefined;
  #error: unknown;
  /** Ends when the queue is empty; undefined when nothing is under way. */
  #feeding: Promise<void> | undefined;
  #progress = Promise.withResolvers<void>();
  #isHeld = false;
  #ended = false;

  /** @param printed the printer has every byte before this number, as the one who served it before knew */
  constructor(driver: PrinterDriver, printed = 0) {
    this.#driver = driver;
    this.#delivered = printed;
  }

  static of(place: PrinterPlace, printed?: number): PrinterService {
    return new PrinterService(driverOf(place, patienceMs), printed);
  }

  /** What the one who serves it after this must know. */
  get printed(): number {
    return this.#delivered;
  }

  /**
   * May be called again for the same bytes, also before the first call has ended. @throws YadoError `badRequest`, or
   * Error when the printer is away
   */
  async print(piece: Piece & { readonly hold?: boolean }): Promise<PrintAnswer> {
    if (piece.hold) return this.hold();
    if (piece.jobEnd !== undefined && piece.jobEnd < piece.first + piece.data.length)
      throw yadoError('badRequest', { reason: 'a print job that ends before its bytes do' });
    if (this.#ended) throw new Error('the printer is no longer served here');
    if (!this.#isHeld) {
      const before = this.#delivered;
      this.#take(piece);
      this.#feeding ??= Promise.resolve().then(() => this.#feed(piece.jobEnd));
      const isFull = (): boolean => this.#queuedBytes > aheadBytes - maxPrintBytes;
      const nothingNew = (): boolean => piece.data.length === 0 && this.#delivered === before;
      await this.#until(() => !isFull(), fullMs);
      await this.#until(() => !nothingNew(), patienceMs);
    }
    const error = this.#error;
    const note = this.#note;
    this.#error = undefined;
    this.#note = undefined;
    if (error !== undefined) throw error;
    return {
      ...(this.#last ?? { status: awayStatus }),
      delivered: this.#delivered,
      received: this.#received ?? this.#delivered,
      ...(note !== undefined && { note }),
    };
  }

  /** What is under way is ended; what the printer has not got is forgotten here, for the OS has it. */
  async hold(): Promise<PrintAnswer> {
    if (this.#ended) throw new Error('the printer is no longer served here');
    this.#isHeld = true;
    try {
      await this.#feeding;
      const settled = await this.#driver.settle(this.#delivered);
      this.#forget();
      if (settled === undefined) throw new Error('the printer does not say what it has printed');
      this.#delivered = settled;
      this.#received = settled;
      return { delivered: settled, received: settled, status: this.#last?.status ?? awayStatus };
    } finally {
      this.#isHeld = false;
    }
  }

  /** Nothing is printed from now on; what was begun is. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    await this.hold().catch(() => {});
    this.#ended = true;
    await this.#driver[Symbol.asyncDispose]();
  }

  get #queuedBytes(): number {
    return this.#queue.reduce((sum, each) => sum + each.data.length, 0);
  }

  #take({ first, data, delivered, jobEnd }: Piece): void {
    // The OS has heard of what was printed by whoever served it before; or we know better, for our answer was lost.
    this.#delivered = Math.max(this.#delivered, delivered);
    this.#received = Math.max(this.#received ?? 0, this.#delivered);
    const skip = this.#received - first;
    // A gap: it was given to a service that is no more.
    if (skip < 0 || skip >= data.length || this.#queuedBytes >= aheadBytes) return;
    const fresh = data.subarray(skip);
    this.#queue.push({
      first: this.#received,
      data: fresh,
      delivered,
      ...(jobEnd !== undefined && { jobEnd }),
    });
    this.#received += fresh.length;
  }

  /** Without anything in the queue the printer is asked how it is. */
  async #feed(jobEnd: number | undefined): Promise<void> {
    const nothing: Piece = {
      first: this.#received ?? 0,
      data: new Uint8Array(0),
      delivered: 0,
      ...(jobEnd !== undefined && { jobEnd }),
    };
    try {
      do {
        const piece = this.#queue[0] ?? nothing;
        const answer = await this.#driver.print(
          { ...piece, delivered: this.#delivered },
          new AbortController().signal,
        );
        const { note, ...last } = answer;
        this.#last = last;
        this.#note = note ?? this.#note;
        this.#delivered = Math.max(this.#delivered, answer.delivered);
        this.#given(piece, answer.received);
        this.#progressed();
      } while (this.#queue.length > 0 && !this.#isHeld);
    } catch (error) {
      this.#error = error;
      this.#forget();
    } finally {
      this.#feeding = undefined;
      this.#progressed();
    }
  }

  /** The driver wants the byte of number `received` next. */
  #given(piece: Piece, received: number): void {
    const taken = received - piece.first;
    if (taken < 0) {
      this.#forget();
      this.#received = received;
    } else if (taken >= piece.data.length && this.#queue[0] === piece) this.#queue.shift();
    else if (this.#queue[0] === piece)
      this.#queue[0] = { ...piece, first: received, data: piece.data.subarray(taken) };
  }

  /** The OS gives again what the printer has not got. */
  #forget(): void {
    this.#queue = [];
    this.#received = this.#delivered;
  }

  /** Or until nothing is under way, or the time is over. */
  async #until(done: () => boolean, timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (this.#feeding && !done() && !this.#isHeld && performance.now() < end) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, end - performance.now());
      await Promise.race([promise, this.#progress.promise]);
      clearTimeout(timer);
    }
  }

  #progressed(): void {
    this.#progress.resolve();
    this.#progress = Promise.withResolvers<void>();
  }
}
