// Bytes programs have written and no printer has taken yet. They lie in the agent's memory and move with the OS. Every
// byte has a number that only grows, over all moves: that is how a byte sent twice is known.

/** A program that writes faster than the printer prints waits when so much lies here. */
export const spoolLimitBytes = 1 << 20;

export class Spool {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #firstByte = 0;
  /** While true everything is taken: nobody may be left waiting in a write when the OS is frozen. */
  bottomless = false;
  /** Called when bytes have come. */
  onData: (() => void) | undefined;

  constructor(limit = spoolLimitBytes) {
    this.#limit = limit;
  }

  /** Number of the first byte that is here. */
  get firstByte(): number {
    return this.#firstByte;
  }

  /** Number of the next byte to come. */
  get end(): number {
    return this.#firstByte + this.#size;
  }

  get size(): number {
    return this.#size;
  }

  get hasRoom(): boolean {
    return this.bottomless || this.#size < this.#limit;
  }

  /** Copies what there is room for; returns the count, 0 when full. */
  push(data: Uint8Array): number {
    const count = this.bottomless ? data.length : Math.min(data.length, this.#limit - this.#size);
    if (count <= 0) return 0;
    this.#chunks.push(Uint8Array.from(data.subarray(0, count)));
    this.#size += count;
    this.onData?.();
    return count;
  }

  /** The first bytes, at most `most`; empty when nothing is here. They stay. */
  peek(most: number): Uint8Array {
    const first = this.#chunks[0];
    if (!first) return new Uint8Array(0);
    if (first.length >= most) return first.subarray(0, most);
    return new Uint8Array(Buffer.concat(this.#chunks).subarray(0, most));
  }

  /** The printer has all bytes before number `until`. Numbers that are not here change nothing. */
  delivered(until: number): void {
    let rest = Math.min(until, this.end) - this.#firstByte;
    while (rest > 0) {
      const first = this.#chunks[0]!;
      const taken = Math.min(rest, first.length);
      if (taken === first.length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(taken);
      this.#size -= taken;
      this.#firstByte += taken;
      rest -= taken;
    }
  }
}
