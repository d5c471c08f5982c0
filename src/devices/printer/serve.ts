// The ghost's and the standby's side of a printer left behind: takes numbered bytes of the OS it belongs to, prints each
// once, and answers how far the printer is. What was answered for is printed; the OS keeps the rest.
import { driverOf, type Piece, type PrintAnswer, type PrinterDriver } from './driver.ts';
import type { PrinterPlace } from './state.ts';
import { awayStatus } from './translate.ts';

/** An answer comes within this time, or somewhat more, also from a printer that takes nothing. */
const patienceMs = 1000;

export class PrinterService {
  readonly #driver: PrinterDriver;
  #received: number | undefined;
  #delivered: number;
  #turn: Promise<unknown> = Promise.resolve();
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

  /** One request after the other, also when the asker has given one up and sends its bytes again. */
  print(piece: Piece, signal = new AbortController().signal): Promise<PrintAnswer> {
    return this.#inTurn(() => this.#print(piece, signal));
  }

  /** What is under way is ended; what the printer has not got is forgotten here, for the OS has it. */
  hold(): Promise<PrintAnswer> {
    return this.#inTurn(async () => {
      const settled = await this.#driver.settle(this.#delivered);
      if (settled === undefined) throw new Error('the printer does not say what it has printed');
      this.#delivered = settled;
      this.#received = settled;
      return { delivered: settled, received: settled, status: awayStatus };
    });
  }

  /** Nothing is printed from now on; what was begun is. */
  async stop(): Promise<void> {
    await this.hold().catch(() => {});
    this.#ended = true;
    await this.#turn;
    await this.#driver[Symbol.asyncDispose]();
  }

  #inTurn(work: () => Promise<PrintAnswer>): Promise<PrintAnswer> {
    const mine = this.#turn.then(() => {
      if (this.#ended) throw new Error('the printer is no longer served here');
      return work();
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #print(piece: Piece, signal: AbortSignal): Promise<PrintAnswer> {
    // The OS has heard of what was printed by whoever served it before; or we know better, for our answer was lost.
    this.#delivered = Math.max(this.#delivered, piece.delivered);
    const received = Math.max(this.#received ?? 0, this.#delivered);
    const skip = received - piece.first;
    // A gap: it was given to a service that is no more.
    const fits = skip >= 0 && skip < piece.data.length;
    const { jobEnd } = piece;
    const answer = await this.#driver.print(
      {
        first: received,
        data: fits ? piece.data.subarray(skip) : new Uint8Array(0),
        delivered: this.#delivered,
        ...(jobEnd !== undefined && { jobEnd }),
      },
      signal,
    );
    this.#delivered = answer.delivered;
    this.#received = answer.received;
    return answer;
  }
}
