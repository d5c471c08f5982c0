// From the events of one real device to those of the stubs: frames of keys and movements, nothing else. Positions become
// movements, unknown keys fall out, lost events are made good. Repeats are those of the real keyboard: a repeat made here
// would go on when the news of a key let go is late. Pure; believes nothing it is given.
import { INPUT } from '#linux/abi-input.ts';
import type { InputEvent } from '#wire/input-events.ts';

/** How a pointer that gives positions is turned into movements. */
export interface AbsolutePointer {
  readonly x: AxisRange;
  readonly y: AxisRange;
  /** The whole way from edge to edge, in pixels: the size of the OS's screen. */
  readonly width: number;
  readonly height: number;
  /** Movements count only while it is touched, and every touch begins anew (touchpads). */
  readonly touchpad: boolean;
  /** A touch is a press of the left button (touch screens, pens). */
  readonly touchPresses: boolean;
}

export interface AxisRange {
  readonly minimum: number;
  readonly maximum: number;
  /** Where it is when reading begins. */
  readonly value: number;
}

/** A longer movement in one frame is nonsense. */
const maxStep = 20_000;
/** Events of one frame; a device that sends more without an end is not listened to. */
const maxFrame = 256;

/** Keys of the stub keyboard: all there are but for the buttons of mice, joysticks and tablets. */
export const keyboardCodes: readonly number[] = range(1, INPUT.BTN_MISC - 1).concat(
  range(INPUT.KEY_OK, INPUT.BTN_TRIGGER_HAPPY - 1).filter(
    code => code < INPUT.BTN_DPAD_UP || code > INPUT.BTN_DPAD_RIGHT,
  ),
);
export const pointerButtons: readonly number[] = range(INPUT.BTN_LEFT, INPUT.BTN_TASK);
export const pointerAxes: readonly number[] = [INPUT.REL_X, INPUT.REL_Y, INPUT.REL_WHEEL, INPUT.REL_HWHEEL];

const knownKeys = new Set([...keyboardCodes, ...pointerButtons]);
const knownAxes = new Set(pointerAxes);

/** Value of a key that is still down. */
export const repeated = 2;

/** True when the stubs have this key, button or axis and the value is one a device can mean. */
export function makesSense({ type, code, value }: InputEvent): boolean {
  if (type === INPUT.EV_KEY) return knownKeys.has(code) && (value === 0 || value === 1 || value === repeated);
  return type === INPUT.EV_REL && knownAxes.has(code) && value !== 0 && Math.abs(value) <= maxStep;
}

/** True for what the stub pointer has, false for what the stub keyboard has. */
export const isOfPointer = ({ type, code }: InputEvent): boolean =>
  type === INPUT.EV_REL || (code >= INPUT.BTN_LEFT && code <= INPUT.BTN_TASK);

export interface Translated {
  readonly frames: readonly (readonly InputEvent[])[];
  /** Events were lost: look which keys are down and tell `resync`. */
  readonly lost: boolean;
}

export class Translator {
  readonly #pointer: AbsolutePointer | undefined;
  readonly #axes: readonly [Axis, Axis] | undefined;
  readonly #down = new Set<number>();
  #frame: InputEvent[] = [];
  #lost = false;
  #touched = false;

  constructor(pointer?: AbsolutePointer) {
    this.#pointer = pointer;
    this.#axes = pointer && [
      new Axis(INPUT.REL_X, pointer.x, pointer.width),
      new Axis(INPUT.REL_Y, pointer.y, pointer.height),
    ];
  }

  push(events: readonly InputEvent[]): Translated {
    const frames: InputEvent[][] = [];
    let lost = false;
    for (const event of events) {
      const { type, code } = event;
      if (type !== INPUT.EV_SYN) {
        if (!this.#lost && this.#frame.length < maxFrame) this.#take(event);
      } else if (code === INPUT.SYN_DROPPED) {
        this.#lost = true;
        this.#frame = [];
      } else if (code === INPUT.SYN_REPORT) {
        // What stands between SYN_DROPPED and the next report is half a frame.
        if (this.#lost) lost = true;
        this.#lost = false;
        const frame = this.#end();
        if (frame.length > 0) frames.push(frame);
      }
    }
    return { frames, lost };
  }

  /** After lost events: the frame that brings the stubs to the keys that are down now. */
  resync(keysDown: readonly number[]): InputEvent[] {
    const now = new Set(keysDown.map(code => this.#meaning(code)).filter(code => code !== undefined));
    for (const axis of this.#axes ?? []) axis.lift();
    const releases = [...this.#down].filter(code => !now.has(code)).map(code => key(code, 0));
    const presses = [...now].filter(code => !this.#down.has(code)).map(code => key(code, 1));
    return this.#keep([...releases, ...presses]);
  }

  #take(event: InputEvent): void {
    const { type, code, value } = event;
    if (type === INPUT.EV_ABS && code === INPUT.ABS_X) this.#axes?.[0].place(value);
    else if (type === INPUT.EV_ABS && code === INPUT.ABS_Y) this.#axes?.[1].place(value);
    else if (type === INPUT.EV_KEY) {
      if (code === INPUT.BTN_TOUCH) this.#touch(value === 1);
      const meaning = this.#meaning(code);
      if (meaning !== undefined && makesSense(key(meaning, value))) this.#frame.push(key(meaning, value));
    } else if (makesSense(event)) this.#frame.push({ type, code, value });
  }

  /** What a key of the device is on the stubs; undefined when they do not have it. */
  #meaning(code: number): number | undefined {
    if (code === INPUT.BTN_TOUCH && this.#pointer?.touchPresses) return INPUT.BTN_LEFT;
    return knownKeys.has(code) ? code : undefined;
  }

  #touch(down: boolean): void {
    this.#touched = down;
    if (this.#pointer?.touchpad) for (const axis of this.#axes ?? []) axis.lift();
  }

  #end(): InputEvent[] {
    const counts = !this.#pointer?.touchpad || this.#touched;
    const steps = (this.#axes ?? []).flatMap(axis => axis.step(counts) ?? []);
    const frame = [...steps, ...this.#frame];
    this.#frame = [];
    return this.#keep(frame);
  }

  #keep(frame: InputEvent[]): InputEvent[] {
    for (const { type, code, value } of frame)
      if (type === INPUT.EV_KEY) value === 0 ? this.#down.delete(code) : this.#down.add(code);
    return frame;
  }
}

/** One direction of an absolute pointer. Parts of a pixel are kept for the next step. */
class Axis {
  readonly #code: number;
  readonly #range: AxisRange;
  readonly #scale: number;
  #at: number | undefined;
  #to: number;
  #rest = 0;

  constructor(code: number, range: AxisRange, pixels: number) {
    this.#code = code;
    this.#range = range;
    const way = range.maximum - range.minimum;
    this.#scale = way > 0 ? pixels / way : 0;
    this.#at = this.#to = range.value;
  }

  place(value: number): void {
    this.#to = Math.min(this.#range.maximum, Math.max(this.#range.minimum, value));
    this.#at ??= this.#to;
  }

  /** The next position moves nothing: it is only where movement begins. */
  lift(): void {
    this.#at = undefined;
    this.#rest = 0;
  }

  step(counts: boolean): InputEvent | undefined {
    const from = this.#at;
    if (from === undefined) return undefined;
    this.#at = this.#to;
    if (!counts) return undefined;
    const way = (this.#to - from) * this.#scale + this.#rest;
    const value = Math.trunc(way);
    this.#rest = way - value;
    return value === 0 ? undefined : { type: INPUT.EV_REL, code: this.#code, value };
  }
}

export const key = (code: number, value: number): InputEvent => ({ type: INPUT.EV_KEY, code, value });

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
