// Carries the bytes of the spool to the printer, until it is stopped. A printer or computer that is away is waited for;
// nothing is thrown away.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Piece, PrintAnswer, PrinterDriver } from './driver.ts';
import type { Spool } from './spool.ts';

const statusEveryMs = 5000;
const awayRetryMs = 1000;
/** So long a move waits for a printer in the middle of something, and then for it to end what it was made to break off. */
const stopMs = 1500;
const settleMs = 8000;

export interface Listener {
  /** After every answer of the printer. */
  answered(answer: PrintAnswer): void;
  /** The printer cannot be reached, or answers nonsense: once for every reason, until it prints again. */
  away(error: unknown): void;
  back(): void;
}

export class Delivery {
  readonly #spool: Spool;
  readonly #driver: PrinterDriver;
  readonly #listener: Listener;
  readonly #abort = new AbortController();
  #stopping = false;
  /** Why the printer is away; undefined while it is there. */
  #away: string | undefined;
  #hasEnded = false;
  /** Given to the printer, though perhaps not printed. */
  #next: number;
  readonly #idle = new Set<() => void>();
  /** Ends when nothing more is under way. */
  readonly done: Promise<void>;

  /** @param after begins when this has ended: what is under way must not be given twice */
  constructor(spool: Spool, driver: PrinterDriver, listener: Listener, after: Promise<void>) {
    this.#spool = spool;
    this.#driver = driver;
    this.#listener = listener;
    this.#next = spool.firstByte;
    this.done = after
      .then(() => this.#run())
      .catch(error => listener.away(error))
      .finally(() => {
        this.#hasEnded = true;
      });
  }

  /**
   * Returns within seconds. False: something is still under way, for the kernel's driver of the printer does not return;
   * until `done` it may print more, and keeps the port.
   */
  async stop(breakOffMs = stopMs, endMs = settleMs): Promise<boolean> {
    this.#stopping = true;
    for (const wake of this.#idle) wake();
    await this.#doneWithin(breakOffMs);
    this.#abort.abort();
    await this.#doneWithin(endMs);
    return this.#hasEnded;
  }

  async #doneWithin(ms: number): Promise<void> {
    const over = new AbortController();
    await Promise.race([this.done, sleep(ms, undefined, { signal: over.signal }).catch(() => {})]);
    over.abort();
  }

  async #run(): Promise<void> {
    await using driver = this.#driver;
    while (!this.#stopping) {
      await this.#give(driver, this.#piece());
      if (this.#away !== undefined) await this.#rest(awayRetryMs);
      else if (this.#next === this.#spool.firstByte && this.#piece().data.length === 0)
        await this.#rest(statusEveryMs);
    }
    const settled = await driver.settle(this.#spool.firstByte);
    if (settled !== undefined) this.#spool.delivered(settled);
  }

  #piece(): Piece {
    const first = Math.max(this.#next, this.#spool.firstByte);
    const delivered = this.#spool.firstByte;
    const { wholeJobs, pieceBytes } = this.#driver;
    const jobEnd = wholeJobs ? this.#spool.endOfJob(first) : undefined;
    const most = wholeJobs ? Math.min(pieceBytes, (jobEnd ?? first) - first) : pieceBytes;
    const data = this.#spool.peek(first, most);
    return { first, data, delivered, ...(jobEnd !== undefined && { jobEnd }) };
  }

  async #give(driver: PrinterDriver, piece: Piece): Promise<void> {
    try {
      if (piece.data.length > 0) this.#spool.sending(piece.first + piece.data.length);
      const answer = await driver.print(piece, this.#abort.signal);
      this.#check(answer);
      this.#spool.delivered(answer.delivered);
      this.#next = Math.min(Math.max(answer.received, this.#spool.firstByte), this.#spool.end);
      this.#listener.answered(answer);
      if (this.#away !== undefined) this.#listener.back();
      this.#away = undefined;
    } catch (error) {
      this.#next = this.#spool.firstByte;
      if (this.#abort.signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      if (why !== this.#away) this.#listener.away(error);
      this.#away = why;
    }
  }

  /** Who names bytes that were never written must not have others thrown away. @throws Error */
  #check({ delivered, received }: PrintAnswer): void {
    const { end } = this.#spool;
    if (Math.max(delivered, received) > end)
      throw new Error(
        `it says that it has ${Math.max(delivered, received)} bytes, but only ${end} were written`,
      );
  }

  /** Until a program writes, or this time is over: then the status is asked for. */
  async #rest(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#away === undefined) this.#spool.onChange = resolve;
    this.#idle.add(resolve);
    if (this.#stopping) resolve();
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
    this.#idle.delete(resolve);
    this.#spool.onChange = undefined;
  }
}
