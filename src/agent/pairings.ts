// Pairing as a person goes through it, at an OS (`yado pair`) or at a computer (`yado accept`): a code appears on both
// sides, and what was exchanged counts once it was confirmed on both. The port is open only while a computer accepts.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ConfirmRequest } from '#core/api.ts';
import type { Computer } from '#core/computer.ts';
import { yadoError } from '#core/errors.ts';
import { acceptAttempts, acceptMs, awaitPairing, callForPairing } from '#core/pairing.ts';
import type { Pin } from '#core/pins.ts';
import { pairingPort } from '#wire/pairing.ts';
import { log } from './log.ts';
import { type Compared, newHalf, PairingLink, sha256 } from './pairing-link.ts';

const connectMs = 10_000;
/** From the connection to the code: no person is waited for. */
const exchangeMs = 10_000;

interface Waiting extends Compared {
  readonly link: PairingLink;
  /** Called when both sides have confirmed. */
  readonly keep: (pin: Pin) => void;
}

export interface PairingTimes {
  readonly acceptMs: number;
  readonly exchangeMs: number;
}

export class Pairings {
  readonly #times: PairingTimes;
  #server: Server | undefined;
  /** The link that is being made or compared. */
  #link: PairingLink | undefined;
  #waiting: Waiting | undefined;

  constructor(times: PairingTimes = { acceptMs, exchangeMs }) {
    this.#times = times;
  }

  /**
   * The side of the OS: asks a computer that accepts. @param from source address @param keep told of the computer's key
   * once both sides have confirmed. @throws YadoError `notAccepting`, `unreachable`, or how the pairing ended
   */
  async call(me: Pin, there: Computer, from: string, keep: (pin: Pin) => void): Promise<Compared> {
    await this.close();
    const socket = connect({ host: there.address, port: pairingPort, localAddress: from });
    const signal = AbortSignal.timeout(connectMs);
    try {
      await once(socket, 'connect', { signal });
    } catch (error) {
      socket.destroy();
      const where = { computer: there.name, address: `${there.address}:${pairingPort}` };
      const isRefused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
      throw yadoError(isRefused ? 'notAccepting' : 'unreachable', where, error);
    }
    const first = callForPairing(newHalf(me), there.name, sha256);
    return this.#compare(new PairingLink(socket, first, this.#times.acceptMs, there.name), keep);
  }

  /**
   * The side of the computer: waits for an OS that calls, and gives the code. One at a time; somebody who does not get as
   * far as the code leaves room for the next. @throws YadoError `pairingExpired`, `tooManyAttempts`
   */
  async accept(me: Pin, address: string, keep: (pin: Pin) => void): Promise<Compared> {
    await this.close();
    const { promise, resolve, reject } = Promise.withResolvers<Compared>();
    let attempts = 0;
    const end = performance.now() + this.#times.acceptMs;
    const server = createServer(socket => {
      socket.on('error', () => {});
      if (this.#link && !this.#link.isOver) return void socket.destroy();
      attempts++;
      this.#exchange(socket, me, end, keep).then(
        compared => {
          resolve(compared);
          server.close(); // nobody else is needed
        },
        (error: Error) => {
          log(`an attempt to pair from ${socket.remoteAddress}: ${error.message}`);
          if (attempts < acceptAttempts) return;
          reject(yadoError('tooManyAttempts', { attempts }));
          void this.close();
        },
      );
    });
    server.listen({ host: address, port: pairingPort });
    await once(server, 'listening');
    this.#server = server;
    const late = setTimeout(() => server.close(), this.#times.acceptMs);
    server.once('close', () => {
      clearTimeout(late);
      reject(yadoError('pairingExpired', { seconds: acceptMs / 1000 }));
    });
    return promise;
  }

  async #exchange(socket: Socket, me: Pin, end: number, keep: (pin: Pin) => void): Promise<Compared> {
    const link = new PairingLink(socket, awaitPairing(newHalf(me)), end - performance.now());
    const slow = setTimeout(() => socket.destroy(), this.#times.exchangeMs);
    try {
      return await this.#compare(link, keep);
    } finally {
      clearTimeout(slow);
    }
  }

  async #compare(link: PairingLink, keep: (pin: Pin) => void): Promise<Compared> {
    this.#link = link;
    const compared = await link.compared;
    this.#waiting = { ...compared, link, keep };
    return compared;
  }

  /**
   * What the person here says: the code the other side shows, or no. Waits for the other side.
   * @throws YadoError `nothingToConfirm`, `otherCode`, or how the pairing ended
   */
  async confirm({ code, agrees }: ConfirmRequest): Promise<Pin> {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) throw yadoError('nothingToConfirm', {});
    const { link, them, keep } = waiting;
    const isSame = code === waiting.code;
    link.judge(agrees && isSame);
    if (agrees && !isSame) throw yadoError('otherCode', { code, name: them.name });
    const pin = await link.paired;
    keep(pin);
    log(`paired with ${pin.name}`);
    return pin;
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#waiting = undefined;
    this.#link?.judge(false);
    this.#link = undefined;
    if (server?.listening) {
      server.close();
      await once(server, 'close');
    }
  }
}
