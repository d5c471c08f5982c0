// Which keys are down on the stubs, and who holds them. Two keyboards may hold the same key: it is up when both let go;
// a keyboard that is gone lets go of all it held. Pure.
import { INPUT } from '#linux/abi-input.ts';
import type { InputEvent } from '#wire/input-events.ts';
import { key, repeated } from './translate.ts';

export class HeldKeys {
  readonly #holders = new Map<number, Set<string>>();

  /** Codes of the keys that are down. */
  get codes(): number[] {
    return [...this.#holders.keys()];
  }

  /** What of a frame of `source` changes the stubs. */
  merge(source: string, frame: readonly InputEvent[]): InputEvent[] {
    return frame.filter(({ type, code, value }) => {
      if (type !== INPUT.EV_KEY) return true;
      if (value === repeated) return this.#holders.get(code)?.has(source) === true;
      return value === 1 ? this.#press(source, code) : this.#release(source, code);
    });
  }

  /** The frame that lets go of what only `source` held. */
  gone(source: string): InputEvent[] {
    return this.codes.filter(code => this.#release(source, code)).map(code => key(code, 0));
  }

  #press(source: string, code: number): boolean {
    const holders = this.#holders.get(code);
    if (holders) {
      holders.add(source);
      return false;
    }
    this.#holders.set(code, new Set([source]));
    return true;
  }

  #release(source: string, code: number): boolean {
    const holders = this.#holders.get(code);
    if (!holders?.delete(source) || holders.size > 0) return false;
    return this.#holders.delete(code);
  }
}
