// Writes to a part of a device-mapper device, as the kernel counts them for whoever asks it to
// (Documentation/admin-guide/device-mapper/statistics.rst). One is counted when it has ended, a discard too.
import { DmControl } from '#linux/dm-control.ts';
import { SystemError } from '#linux/system-error.ts';

/** Marks what is ours: another program may count as well. */
const program = 'yadokari';

/** Where the kernel is asked. */
export type Ask = (message: string) => string;

export class DmWriteCounter implements Disposable {
  readonly #ask: Ask;
  #counted: { readonly range: string; readonly id: number } | undefined;

  /** Of a device; what a program has left counting that died before is taken away. */
  constructor(name: string, ask: Ask = askKernel(name)) {
    this.#ask = ask;
    for (const id of ours(this.#try('@stats_list'))) this.#try(`@stats_delete ${id}`);
  }

  /**
   * So many have ended since this part was first asked for, bytes; the part before is forgotten. Undefined when the kernel does
   * not count.
   */
  count(start: number, bytes: number): number | undefined {
    const range = `${start / 512}+${bytes / 512}`;
    if (this.#counted?.range !== range) {
      this[Symbol.dispose]();
      const id = /^\d+/.exec(this.#try(`@stats_create ${range} /1 ${program}`))?.[0];
      if (id === undefined) return undefined;
      this.#counted = { range, id: Number(id) };
    }
    return writesIn(this.#try(`@stats_print ${this.#counted.id}`));
  }

  [Symbol.dispose](): void {
    if (this.#counted) this.#try(`@stats_delete ${this.#counted.id}`);
    this.#counted = undefined;
  }

  #try(message: string): string {
    try {
      return this.#ask(message);
    } catch (error) {
      if (error instanceof SystemError) return '';
      throw error;
    }
  }
}

const askKernel =
  (name: string): Ask =>
  message => {
    using dm = new DmControl();
    return dm.message(name, message);
  };

/** "0: 0+1024 1024 yadokari -", a line each. */
const ours = (list: string): string[] =>
  [...list.matchAll(/^(\d+): \S+ \S+ (\S+)/gm)].flatMap(([, id, owner]) =>
    owner === program && id ? [id] : [],
  );

/** "0+1024 1 0 8 0 5 …": behind the part as in /proc/diskstats, the 5th is writes. */
function writesIn(text: string): number | undefined {
  const [, ...fields] = text.trim().split(/\s+/);
  const writes = Number(fields[4]);
  return fields.length >= 11 && Number.isSafeInteger(writes) ? writes : undefined;
}
