// Bytes programs have written and no printer has taken yet, and where their jobs end. Every byte has a number that only
// grows, over all moves and all agents: that is how a byte sent twice is known. The bytes themselves lie in files.
import { SpoolFiles } from './spool-files.ts';

/** A program that writes faster than the printer prints waits when so much lies here. */
export const spoolLimitBytes = 1 << 20;
/** For a printer that takes only whole jobs, a job may be so long. */
export const jobLimitBytes = 64 << 20;

export class Spool implements Disposable {
  readonly #files: SpoolFiles;
  readonly #limit: number;
  #delivered: number;
  #ends: number[];
  /** While true everything is taken: nobody may be left waiting in a write when the OS is frozen. */
  bottomless = false;
  /** Called when bytes have come or a job has ended. */
  onChange: (() => void) | undefined;
  /** Bytes the agent before this one was giving to the printer when it ended: they may be on paper twice. */
  readonly inDoubt: number;

  constructor(folder: string, limit = spoolLimitBytes) {
    this.#files = new SpoolFiles(folder);
    this.#limit = limit;
    const { delivered, sending, ends } = this.#files.found;
    this.#delivered = delivered;
    this.#ends = ends.filter(each => each > delivered);
    this.inDoubt = Math.max(0, sending - delivered);
    this.endJob(); // whoever was writing has lost the device with the agent
  }

  /** Number of the first byte that is here: the printer has all before it. */
  get firstByte(): number {
    return this.#delivered;
  }

  /** Number of the next byte to come. */
  get end(): number {
    return this.#files.end;
  }

  get size(): number {
    return this.end - this.#delivered;
  }

  get hasRoom(): boolean {
    return this.bottomless || this.size < this.#limit;
  }

  /** Keeps what there is room for; returns the count, 0 when full, undefined when the computer's memory is. */
  push(data: Uint8Array): number | undefined {
    const count = this.bottomless ? data.length : Math.min(data.length, this.#limit - this.size);
    if (count <= 0) return 0;
    const kept = this.#files.append(data.subarray(0, count));
    this.onChange?.();
    return kept || undefined;
  }

  /** What came up to now is a whole job. */
  endJob(): void {
    if (this.end === (this.#ends.at(-1) ?? this.#delivered)) return;
    this.#ends.push(this.end);
    this.#files.recordEnd(this.end);
    this.onChange?.();
  }

  /** Where the job that holds byte `number` ends; undefined while a program still writes it. */
  endOfJob(number: number): number | undefined {
    return this.#ends.find(each => each > number);
  }

  /** The bytes from number `first` on, at most `most`; empty when none is here. They stay. */
  peek(first: number, most: number): Buffer {
    return this.#files.read(first, most);
  }

  /** Those before number `until` are about to be given to the printer. */
  sending(until: number): void {
    this.#files.record(this.#delivered, until);
  }

  /** The printer has all bytes before number `until`. Numbers that are not here change nothing. */
  delivered(until: number): void {
    const upTo = Math.min(until, this.end);
    if (upTo <= this.#delivered) return;
    this.#delivered = upTo;
    this.#files.record(upTo, upTo);
    const open = this.#ends.filter(each => each > upTo);
    if (open.length === 0 && this.#ends.length > 0) this.#files.forgetEnds();
    this.#ends = open;
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
  }
}
