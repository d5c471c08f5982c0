// One pairing over one connection: carries messages to the state machine and back, and names how it ended.
import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type YadoError, yadoError } from '#core/errors.ts';
import {
  acceptMs,
  type PairingEvent,
  type PairingHalf,
  type PairingState,
  type PairingStep,
  pairingStep,
} from '#core/pairing.ts';
import type { Pin } from '#core/pins.ts';
import { MessageReader } from '#wire/control.ts';
import { decodePairing, encodePairing, maxPairingBytes } from '#wire/pairing.ts';

export const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();

/** What one side brings, with a nonce of its own for each pairing. */
export const newHalf = ({ name, key }: Pin): PairingHalf => ({
  name,
  key,
  nonce: randomBytes(32).toString('base64url'),
});

export interface Compared {
  readonly them: Pin;
  readonly code: string;
}

export class PairingLink {
  readonly #socket: Socket;
  readonly #wanted: { readonly address: string; readonly computer: string };
  readonly #compared = Promise.withResolvers<Compared>();
  readonly #paired = Promise.withResolvers<Pin>();
  #state: PairingState;

  /** @param lateMs from now on; then it has ended. @param computer the one the OS asks for */
  constructor(socket: Socket, first: PairingStep, lateMs: number, computer = '') {
    this.#socket = socket;
    this.#wanted = { address: socket.remoteAddress ?? '', computer };
    this.#state = first.state;
    for (const promise of [this.#compared.promise, this.#paired.promise]) promise.catch(() => {});
    const reader = new MessageReader(maxPairingBytes);
    const late = setTimeout(() => this.#take({ stop: 'late' }), lateMs);
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const bytes of reader.push(chunk)) this.#take({ message: decodePairing(bytes) });
      } catch (error) {
        this.#fail(this.#broken(error instanceof Error ? error.message : String(error)));
      }
    });
    socket.on('error', () => this.#take({ stop: 'lost' }));
    socket.on('close', () => {
      clearTimeout(late);
      this.#take({ stop: 'lost' });
    });
    this.#send(first);
  }

  /** When there is a code to compare. @throws YadoError how it ended before */
  get compared(): Promise<Compared> {
    return this.#compared.promise;
  }

  /** When both persons have agreed. @throws YadoError how it ended else */
  get paired(): Promise<Pin> {
    return this.#paired.promise;
  }

  get isOver(): boolean {
    return this.#state.at === 'paired' || this.#state.at === 'ended';
  }

  /** What the person here says of the code. */
  judge(agrees: boolean): void {
    this.#take({ agrees });
  }

  #take(event: PairingEvent): void {
    if (this.isOver) return;
    const step = pairingStep(this.#state, event, sha256);
    this.#state = step.state;
    this.#send(step);
    if (step.state.at === 'comparing')
      this.#compared.resolve({ them: step.state.them, code: step.state.code });
    if (step.state.at === 'paired') {
      this.#paired.resolve(step.state.them);
      this.#socket.end();
    }
    if (step.state.at === 'ended') this.#fail(this.#ending(step.state));
  }

  #send({ send }: PairingStep): void {
    for (const message of send) this.#socket.write(encodePairing(message));
  }

  #fail(error: YadoError): void {
    if (!this.isOver) this.#state = { at: 'ended', why: 'outOfOrder', name: '' };
    this.#compared.reject(error);
    this.#paired.reject(error);
    this.#socket.destroySoon();
  }

  #broken(reason: string, name = 'the other side'): YadoError {
    return yadoError('pairingBroken', { name, reason });
  }

  #ending({ why, name }: Extract<PairingState, { at: 'ended' }>): YadoError {
    switch (why) {
      case 'forged':
        return yadoError('pairingForged', { name });
      case 'declinedHere':
        return yadoError('pairingDeclined', { name, where: 'here' });
      case 'declinedThere':
        return yadoError('pairingDeclined', { name, where: 'at the other side' });
      case 'late':
        return yadoError('pairingExpired', { seconds: acceptMs / 1000 });
      case 'otherName':
        return yadoError('otherComputer', { name, ...this.#wanted });
      case 'lost':
        return this.#broken('the connection was lost', name);
      default:
        return this.#broken('a message came that has no place there', name);
    }
  }
}
