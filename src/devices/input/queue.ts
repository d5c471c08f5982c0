// Input events that wait for the computer they are for. Bounded: when nobody fetches them, all but the releases of keys
// that may be down over there are thrown away, so that no key stays down. Pure.
import { INPUT } from '#linux/abi-input.ts';
import type { InputEvent } from '#wire/input-events.ts';
import { key } from './translate.ts';

/** Fewer than fit into one message, keys to be let go included. */
export const maxQueued = 256;

export class InputQueue {
  #events: InputEvent[] = [];
  /** Down for whoever takes the events, once they have them all. */
  #down = new Set<number>();
  /** Down for them now. */
  #told = new Set<number>();

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  push(events: readonly InputEvent[]): void {
    const last = this.#events.at(-1);
    const [only] = events;
    // A mouse that moves on fills no queue.
    if (events.length === 1 && only && last && isSameMovement(last, only))
      this.#events[this.#events.length - 1] = { ...last, value: last.value + only.value };
    else this.#events.push(...events);
    if (this.#events.length > maxQueued) {
      this.#events = [...this.#told].map(code => key(code, 0));
      this.#down.clear();
      return;
    }
    for (const { type, code, value } of events)
      if (type === INPUT.EV_KEY) value === 0 ? this.#down.delete(code) : this.#down.add(code);
  }

  /** All that is here; it is gone from here then. */
  take(): InputEvent[] {
    const events = this.#events;
    this.#events = [];
    this.#told = new Set(this.#down);
    return events;
  }

  clear(): void {
    this.#events = [];
    this.#down.clear();
    this.#told.clear();
  }
}

const isSameMovement = (a: InputEvent, b: InputEvent): boolean =>
  a.type === INPUT.EV_REL && b.type === INPUT.EV_REL && a.code === b.code;
