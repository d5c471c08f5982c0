// The keyboard and pointer of another computer, which lends them: asked for what was typed, again and again. Believes
// nothing of what comes. When the lender does not answer, all it held is let go and it is asked again, for a while.
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlSession, type Peer } from '#managers/control-session.ts';
import type { ControlAnswer, ControlRequest } from '#wire/control.ts';
import { decodeInputEvents } from '#wire/input-events.ts';
import { reasonOf } from '../device.ts';
import { saysNo } from '../lender-says-no.ts';
import type { InputDriver, InputSink } from './driver.ts';
import { typeName } from './state.ts';

/** So late do the lights change on the lender's keyboard when nothing is typed on it. */
const waitMs = 500;
/** After keys the lights often change: the next question comes soon. */
const waitAfterKeysMs = 50;
const patienceMs = 4000;
const defaultRetryMs = 1000;
/** A lender that has not answered for so long is gone for good. */
const defaultGoneMs = 30_000;

/** Asks the lender; tests give one without a network. */
export interface Lender extends Disposable {
  readonly name: string;
  keys(request: ControlRequest<'keys'>, signal: AbortSignal): Promise<ControlAnswer<'keys'>>;
}

export interface LentDevice {
  readonly device: string;
  /** In which it was lent. */
  readonly epoch: number;
  readonly retryMs?: number;
  readonly goneMs?: number;
  /** Called once when there is no hope: the lender says no, or does not answer for long. Nothing is asked after it. */
  readonly gone: () => void;
}

export function lenderAt(peer: Peer): Lender {
  const session = new ControlSession(peer);
  return {
    name: peer.name,
    keys: (request, signal) =>
      session.ask('keys', request, { timeoutMs: request.waitMs + patienceMs, signal }),
    [Symbol.dispose]: () => session[Symbol.dispose](),
  };
}

export class RemoteInput implements InputDriver {
  readonly converts = false; // the lender has done it
  readonly #lender: Lender;
  readonly #device: string;
  readonly #epoch: number;
  readonly #retryMs: number;
  readonly #goneMs: number;
  readonly #gone: () => void;
  readonly #sink: InputSink;
  readonly #say: (text: string) => void;
  readonly #end = new AbortController();
  readonly #done: Promise<void>;
  #typeName: string | undefined;
  #lights = 0;

  constructor(
    lender: Lender,
    { device, epoch, gone, retryMs = defaultRetryMs, goneMs = defaultGoneMs }: LentDevice,
    sink: InputSink,
    say: (text: string) => void,
  ) {
    this.#lender = lender;
    this.#device = device;
    this.#epoch = epoch;
    this.#retryMs = retryMs;
    this.#goneMs = goneMs;
    this.#gone = gone;
    this.#sink = sink;
    this.#say = say;
    this.#done = this.#run();
  }

  get names(): readonly string[] {
    // The lender says "none" while nothing is plugged in there.
    return this.#typeName === undefined || this.#typeName === typeName([]) ? [] : [this.#typeName];
  }

  setLights(lights: number): void {
    this.#lights = lights;
  }

  async release(): Promise<void> {
    this.#end.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    using lender = this.#lender;
    let next = 0; // the first answer tells what there is
    let isAway = false;
    let answeredAt = performance.now();
    while (!signal.aborted) {
      try {
        next = (await this.#ask(lender, next, signal)) ? waitAfterKeysMs : waitMs;
        if (isAway) this.#say(`the keyboard of ${lender.name} is there again`);
        isAway = false;
        answeredAt = performance.now();
      } catch (error) {
        this.#sink.gone(lender.name);
        if (signal.aborted) return;
        this.#typeName = undefined;
        if (!isAway)
          this.#say(
            `the keyboard of ${lender.name} is away: ${reasonOf(error)}; it is asked again, or: yado return ${this.#device}`,
          );
        isAway = true;
        next = 0;
        if (performance.now() - answeredAt > this.#goneMs || saysNo(error)) return this.#gone();
        await sleep(this.#retryMs, undefined, { signal }).catch(() => {});
      }
    }
    this.#sink.gone(lender.name);
  }

  /** True when something was typed. */
  async #ask(lender: Lender, wait: number, signal: AbortSignal): Promise<boolean> {
    const request = { device: this.#device, epoch: this.#epoch, waitMs: wait, leds: this.#lights };
    const answer = await lender.keys(request, signal);
    this.#typeName = answer.typeName;
    const typed = decodeInputEvents(answer.events);
    this.#sink.frame(lender.name, typed);
    return typed.length > 0;
  }
}
