// The keyboard and the pointer the OS has wherever it runs: two uinput devices. They live as long as the agent, also over
// moves; what is typed on them comes from whatever real devices there are.
import { INPUT } from '#linux/abi-input.ts';
import { Uinput } from '#linux/uinput.ts';
import type { InputEvent } from '#wire/input-events.ts';
import type { InputSink } from './driver.ts';
import { HeldKeys } from './held-keys.ts';
import { isOfPointer, keyboardCodes, makesSense, pointerAxes, pointerButtons } from './translate.ts';

const report: InputEvent = { type: INPUT.EV_SYN, code: INPUT.SYN_REPORT, value: 0 };
const lights = [INPUT.LED_NUML, INPUT.LED_CAPSL, INPUT.LED_SCROLLL, INPUT.LED_COMPOSE, INPUT.LED_KANA];

export class InputStub implements InputSink, Disposable {
  readonly #keyboard: Uinput;
  readonly #pointer: Uinput;
  readonly #held = new HeldKeys();
  readonly #end = new AbortController();
  #lights = 0;
  #passed = 0;
  /** Told of every change of the lights. */
  onLights: ((lights: number) => void) | undefined;

  /** @throws SystemError ENOENT, ENODEV when the module uinput is not there */
  constructor() {
    this.#keyboard = new Uinput({
      name: 'Yadokari keyboard',
      product: 1,
      keys: keyboardCodes,
      lights,
    });
    this.#pointer = new Uinput({
      name: 'Yadokari pointer',
      product: 2,
      keys: pointerButtons,
      axes: pointerAxes,
    });
    void this.#watchLights().catch(() => {}); // ends with the stub
  }

  /** Device files of keyboard and pointer. */
  get paths(): string[] {
    return [this.#keyboard.path, this.#pointer.path];
  }

  /** Bit n is LED n of linux/input-event-codes.h. */
  get lights(): number {
    return this.#lights;
  }

  get keysHeld(): number[] {
    return this.#held.codes;
  }

  get eventsPassed(): number {
    return this.#passed;
  }

  frame(source: string, events: readonly InputEvent[]): void {
    this.#write(this.#held.merge(source, events.filter(makesSense)));
  }

  gone(source: string): void {
    this.#write(this.#held.gone(source));
  }

  [Symbol.dispose](): void {
    this.#end.abort();
    this.#keyboard[Symbol.dispose]();
    this.#pointer[Symbol.dispose]();
  }

  #write(events: readonly InputEvent[]): void {
    this.#passed += events.length;
    const ofKeyboard = events.filter(each => !isOfPointer(each));
    const ofPointer = events.filter(isOfPointer);
    if (ofKeyboard.length > 0) this.#keyboard.write([...ofKeyboard, report]);
    if (ofPointer.length > 0) this.#pointer.write([...ofPointer, report]);
  }

  /** The console and X set the lights of every keyboard they have; ours are shown on the real ones. */
  async #watchLights(): Promise<void> {
    for (;;) {
      await this.#keyboard.wait(this.#end.signal);
      const before = this.#lights;
      for (const { type, code, value } of this.#keyboard.read()) {
        if (type !== INPUT.EV_LED || code > INPUT.LED_MAX) continue;
        this.#lights = value ? this.#lights | (1 << code) : this.#lights & ~(1 << code);
      }
      if (this.#lights !== before) this.onLights?.(this.#lights);
    }
  }
}
