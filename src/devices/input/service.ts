// The keyboard and pointer of this computer, lent to an OS on another one: taken while that OS asks for what is typed,
// given back to this computer when it does not. Used by standby, ghost and active agents alike.
import { waitUntil } from '#managers/wait.ts';
import type { ControlAnswer } from '#wire/control.ts';
import { encodeInputEvents, type InputEvent } from '#wire/input-events.ts';
import { type Lendable, type LentService, probing, type ServiceOf } from '../service.ts';
import { type InputDriver, type InputSink, LocalInput } from './driver.ts';
import { HeldKeys } from './held-keys.ts';
import { InputQueue } from './queue.ts';
import { typeName } from './state.ts';

const unusedAfterMs = 10_000;

const lend: Lendable = {
  messages: ['keys'],
  open: async say => {
    const service = InputService.ofThisComputer(say);
    const found = (): string | undefined => (service.typeName === 'none' ? undefined : service.typeName);
    try {
      return { typeName: await waitUntil('a keyboard', found, probing), service };
    } catch {
      await service.stop();
      throw new Error('no keyboard or mouse is plugged in');
    }
  },
};

export class InputService implements InputSink, LentService {
  readonly #make: (sink: InputSink) => InputDriver;
  readonly #unusedAfterMs: number;
  readonly #held = new HeldKeys();
  readonly #queue = new InputQueue();
  #driver: InputDriver | undefined;
  #unused: NodeJS.Timeout | undefined;
  /** Ends the wait of the question that waits now. */
  #wake: (() => void) | undefined;

  constructor(make: (sink: InputSink) => InputDriver, afterMs = unusedAfterMs) {
    this.#make = make;
    this.#unusedAfterMs = afterMs;
  }

  static ofThisComputer(say: (text: string) => void): InputService {
    return new InputService(sink => new LocalInput(sink, say));
  }

  /** What there is, for the one it is lent to. */
  get typeName(): string {
    return typeName(this.#use().names);
  }

  /** What was typed since the last answer; waits for it up to `waitMs`. A later question ends the wait of one before. */
  async keys({ waitMs, leds }: { waitMs: number; leds: number }): Promise<ControlAnswer<'keys'>> {
    const driver = this.#use();
    driver.setLights(leds);
    this.#wake?.();
    if (this.#queue.isEmpty && waitMs > 0) await this.#somethingTyped(waitMs);
    this.#expectQuestion();
    return { typeName: typeName(driver.names), events: encodeInputEvents(this.#queue.take()) };
  }

  async stop(): Promise<void> {
    clearTimeout(this.#unused);
    this.#wake?.();
    const driver = this.#driver;
    this.#driver = undefined;
    await driver?.release();
    this.#queue.clear();
  }

  frame(source: string, events: readonly InputEvent[]): void {
    this.#push(this.#held.merge(source, events));
  }

  gone(source: string): void {
    this.#push(this.#held.gone(source));
  }

  #push(events: readonly InputEvent[]): void {
    if (events.length === 0) return;
    this.#queue.push(events);
    this.#wake?.();
  }

  #use(): InputDriver {
    this.#driver ??= this.#make(this);
    this.#expectQuestion();
    return this.#driver;
  }

  #expectQuestion(): void {
    clearTimeout(this.#unused);
    if (this.#driver) this.#unused = setTimeout(() => void this.stop(), this.#unusedAfterMs);
  }

  async #somethingTyped(waitMs: number): Promise<void> {
    clearTimeout(this.#unused);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    if (this.#wake === resolve) this.#wake = undefined;
  }
}

export const service = { lend } satisfies ServiceOf<'input'>;
