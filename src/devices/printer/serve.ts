// The ghost's and the standby's side of a printer left behind: takes numbered bytes of the OS it belongs to, prints each
// once, and answers how far the printer is. What was answered for is printed; the OS keeps the rest.
import { PortDriver, type PrintAnswer, type PrinterDriver } from './driver.ts';

/** An answer comes within this time, or somewhat more, also from a printer that takes nothing. */
const patienceMs = 2000;

export class PrinterService {
  readonly #driver: PrinterDriver;
  #delivered: number | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(driver: PrinterDriver) {
    this.#driver = driver;
  }

  static ofPort(path: string): PrinterService {
    return new PrinterService(new PortDriver(path, patienceMs));
  }

  /** One request after the other, also when the asker has given one up and sends its bytes again. */
  print(first: number, data: Uint8Array): Promise<PrintAnswer> {
    const mine = this.#turn.then(() => this.#print(first, data));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Ends when what was begun is printed. */
  async stop(): Promise<void> {
    await this.#turn;
    await this.#driver[Symbol.asyncDispose]();
  }

  async #print(first: number, data: Uint8Array): Promise<PrintAnswer> {
    // A service that has just been started believes the OS, which knows what was answered for.
    const done = Math.max(first, this.#delivered ?? first);
    const fresh = data.subarray(Math.min(done - first, data.length));
    const answer = await this.#driver.print(done, fresh, new AbortController().signal);
    this.#delivered = answer.delivered;
    return answer;
  }
}
