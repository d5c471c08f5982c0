// What a driver of the managers for a printer does. There is one for ports, one for IPP printers, and one for a printer
// of another computer, which its ghost or its standby feeds.
import type { Peer } from '#managers/control-client.ts';
import { ControlSession } from '#managers/control-session.ts';
import { type ControlAnswer, maxPrintBytes } from '#wire/control.ts';
import { IppDriver } from './ipp-driver.ts';
import { PortDriver } from './port-driver.ts';
import type { PrinterPlace } from './state.ts';

/** Bytes of a job; `first` numbers the first of them. */
export interface Piece {
  readonly first: number;
  /** None: only the status is asked for, or whether what was given before is printed. */
  readonly data: Uint8Array;
  /** Number behind the last byte of the job, where the printer takes only whole jobs. */
  readonly jobEnd?: number;
  /** The printer had every byte before this number when it was last heard of. */
  readonly delivered: number;
}

export interface PrintAnswer {
  /** The printer has every byte before this number, for good. */
  readonly delivered: number;
  /** What is to be given next begins with this number: it is smaller than before when something must be given again. */
  readonly received: number;
  /** As LPGETSTATUS gives it. */
  readonly status: number;
  /** What the printer calls itself, and its device id, where only the printer can tell. */
  readonly typeName?: string;
  readonly deviceId?: string;
  /** For a person: something that ended badly. */
  readonly note?: string;
}

export interface PrinterDriver extends AsyncDisposable {
  /** True: a piece is given only when its job has ended. */
  readonly wholeJobs: boolean;
  /** A piece is at most so long. */
  readonly pieceBytes: number;
  /** Takes what it can within its patience. @throws when the printer cannot be reached */
  print(piece: Piece, signal: AbortSignal): Promise<PrintAnswer>;
  /**
   * Ends what is under way, within a second or two, and says up to where the printer has the bytes; nothing more is
   * printed until `print` is called again. Undefined: that cannot be found out.
   */
  settle(delivered: number): Promise<number | undefined>;
}

/** The driver for a printer of this computer. @param patienceMs how long one `print` may wait for a printer that takes nothing */
export function driverOf(place: PrinterPlace, patienceMs: number): PrinterDriver {
  return place.kind === 'ipp' ? new IppDriver(place, patienceMs) : new PortDriver(place, patienceMs);
}

const answerMs = 10_000;
const settleMs = 2000;
/** For a computer that did not answer the last time. */
const lastTryMs = 500;

/** A printer at another computer, used in `epoch` of the OS. */
export class RemoteDriver implements PrinterDriver {
  readonly wholeJobs: boolean;
  readonly pieceBytes = maxPrintBytes;
  readonly #session: ControlSession;
  readonly #user: { readonly osId: string; readonly epoch: number; readonly device: string };
  #answers = true;

  constructor(
    peer: Peer,
    user: { readonly osId: string; readonly epoch: number; readonly device: string },
    wholeJobs: boolean,
  ) {
    this.#session = new ControlSession(peer);
    this.#user = user;
    this.wholeJobs = wholeJobs;
  }

  print(piece: Piece, signal: AbortSignal): Promise<PrintAnswer> {
    return this.#ask({ ...piece, data: Uint8Array.from(piece.data), hold: false }, answerMs, signal);
  }

  async settle(delivered: number): Promise<number | undefined> {
    try {
      const nothing = { first: delivered, data: new Uint8Array(0), delivered, hold: true };
      const timeoutMs = this.#answers ? settleMs : lastTryMs;
      return (await this.#ask(nothing, timeoutMs, AbortSignal.timeout(timeoutMs))).delivered;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session[Symbol.dispose]();
  }

  async #ask(
    piece: Piece & { readonly data: Uint8Array<ArrayBuffer>; readonly hold: boolean },
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<ControlAnswer<'print'>> {
    this.#answers = false;
    const answer = await this.#session.ask('print', { ...this.#user, ...piece }, { timeoutMs, signal });
    this.#answers = true;
    return answer;
  }
}
