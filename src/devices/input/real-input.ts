// One real keyboard or pointer in use: opened, taken once no key is down on it, read until it is let go or unplugged.
import { INPUT } from '#linux/abi-input.ts';
import { listFramebuffers } from '#linux/display.ts';
import type { Evdev } from '#linux/evdev.ts';
import type { InputDevice } from '#linux/input-devices.ts';
import { SystemError } from '#linux/system-error.ts';
import type { InputEvent } from '#wire/input-events.ts';
import type { InputSink } from './driver.ts';
import { type AbsolutePointer, Translator } from './translate.ts';

const report: InputEvent = { type: INPUT.EV_SYN, code: INPUT.SYN_REPORT, value: 0 };
const lightsShown = [INPUT.LED_NUML, INPUT.LED_CAPSL, INPUT.LED_SCROLLL, INPUT.LED_COMPOSE, INPUT.LED_KANA];
const screenWithoutName = { width: 1024, height: 768 };

/** What is needed of an input device; tests have one of their own. */
export type RealEvdev = Pick<
  Evdev,
  'grab' | 'letGo' | 'keysDown' | 'axis' | 'read' | 'write' | 'wait' | typeof Symbol.dispose
>;

export class RealInput {
  readonly name: string;
  readonly absolute: boolean;
  /** Fulfilled when it is no longer used: let go or unplugged. */
  readonly ended: Promise<void>;
  readonly #evdev: RealEvdev;
  readonly #device: InputDevice;
  readonly #translator: Translator;
  readonly #sink: InputSink;
  readonly #end = new AbortController();
  #taken = false;

  /** `evdev` is ours from now on. @throws SystemError EBUSY when another program has it for itself, ENODEV when it has gone */
  constructor(device: InputDevice, evdev: RealEvdev, sink: InputSink) {
    this.name = device.name;
    this.absolute = device.absolute;
    this.#device = device;
    this.#sink = sink;
    this.#evdev = evdev;
    try {
      this.#translator = new Translator(device.absolute ? this.#pointer() : undefined);
      this.#take();
    } catch (error) {
      this.#evdev[Symbol.dispose]();
      throw error;
    }
    this.ended = this.#run();
  }

  setLights(lights: number): void {
    if (!this.#device.hasLights) return;
    const events = lightsShown.map(code => ({ type: INPUT.EV_LED, code, value: (lights >> code) & 1 }));
    this.#unlessGone(() => this.#evdev.write([...events, report]));
  }

  async release(): Promise<void> {
    this.#end.abort();
    await this.ended;
  }

  /** A key that is down when its device is taken would never come up for those who saw it go down: then later. */
  #take(): void {
    if (this.#evdev.keysDown().length > 0) return;
    this.#evdev.grab();
    this.#taken = this.#evdev.keysDown().length === 0;
    if (!this.#taken) this.#evdev.letGo();
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    try {
      while (!signal.aborted) {
        await this.#evdev.wait(signal);
        const events = this.#evdev.read();
        if (this.#taken) this.#pass(events);
        else this.#take();
      }
    } catch {
      // Let go, or unplugged (ENODEV).
    } finally {
      this.#sink.gone(this.#device.id);
      this.#evdev[Symbol.dispose](); // the kernel gives it back to the others
    }
  }

  #pass(events: readonly InputEvent[]): void {
    const { frames, lost } = this.#translator.push(events);
    for (const frame of frames) this.#sink.frame(this.#device.id, frame);
    if (lost) this.#sink.frame(this.#device.id, this.#translator.resync(this.#evdev.keysDown()));
  }

  #pointer(): AbsolutePointer {
    const screen = listFramebuffers().find(each => each.width > 0) ?? screenWithoutName;
    return {
      x: this.#evdev.axis(INPUT.ABS_X),
      y: this.#evdev.axis(INPUT.ABS_Y),
      width: screen.width,
      height: screen.height,
      touchpad: this.#device.touchpad,
      touchPresses: !this.#device.touchpad,
    };
  }

  #unlessGone(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error; // the reading side sees it too
    }
  }
}
