// A computer whose disk says that its OS was about to leave, or has left, and which was switched off in between: it does not
// know where the OS is. It starts nothing before it knows. It learns that the OS is elsewhere from the copy that claims it,
// which is granted, or from the OS that asks for its disk; and that it is nowhere from the computer it was going to, which
// then never takes it. Where nobody answers a person decides. What is decided is written on the disk first, and is final.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, grantOf } from './claim-desk.ts';
import type { LeftMove, MarkState } from './ghost-state.ts';

/** What the computer says to which the OS was going. */
export type Whereabouts = 'here' | 'arriving' | 'nowhere';
/** `left`: it runs elsewhere, and its devices are served. `starts`: from the disk of this computer. */
export type Decision = 'left' | 'starts';

export interface DoubtWorld {
  readonly state: MarkState;
  /** The move that was under way: with its key its copy is granted. Undefined when that is not known any more. */
  readonly move: LeftMove | undefined;
  /** Writes on the disk that the OS is elsewhere; for good when this returns. @throws Error */
  markLeft(): void;
  /** Takes the mark from the disk, for good when this returns. @throws Error */
  clear(): void;
  /** @throws Error when it does not answer, or nobody here can ask */
  ask(move: LeftMove, signal: AbortSignal): Promise<Whereabouts>;
  /** What was heard last, for a person. */
  say(text: string): void;
  readonly everyMs: number;
  /** Wall clock in nanoseconds. */
  now(): bigint;
}

export class Doubt {
  readonly #world: DoubtWorld;
  readonly #stop = new AbortController();
  readonly #decided = Promise.withResolvers<Decision>();
  readonly #grant: Answer;
  #decision: Decision | undefined;

  /** A disk that says `left` leaves no doubt but one: whether the copy has heard of its grant. */
  constructor(world: DoubtWorld) {
    this.#world = world;
    const { move } = world;
    this.#grant = move ? grantOf(move.key, move.epoch, () => world.now()) : () => undefined;
    if (world.state === 'left') this.#decide('left');
    else void this.#asking();
  }

  get decision(): Decision | undefined {
    return this.#decision;
  }

  /** Fulfilled when it is known where the OS is. */
  get decided(): Promise<Decision> {
    return this.#decided.promise;
  }

  /** To a claim: a copy that asks has the whole OS and waits, so nothing is lost when it runs. */
  readonly answer: Answer = datagram => {
    const grant = this.#grant(datagram);
    return grant && this.#settle('left') ? grant : undefined;
  };

  /** The OS itself has asked for what it left here. False: too late, it is started here. */
  heard(): boolean {
    return this.#settle('left');
  }

  /** A person says that the OS is lost elsewhere, whatever was decided before. @throws Error when the disk cannot be written */
  resume(): void {
    this.#world.clear();
    this.#decide('starts');
  }

  close(): void {
    this.#stop.abort();
  }

  async #asking(): Promise<void> {
    const { move, everyMs } = this.#world;
    const { signal } = this.#stop;
    while (move && !signal.aborted) {
      try {
        const where = await this.#world.ask(move, signal);
        if (where === 'here') this.#settle('left');
        if (where === 'nowhere') this.#settle('starts');
        if (where === 'arriving') this.#world.say(`${move.to.name} is still taking it in`);
      } catch (error) {
        if (!signal.aborted) this.#world.say(error instanceof Error ? error.message : String(error));
      }
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  }

  /** True when it is decided so, now or before. */
  #settle(wanted: Decision): boolean {
    if (this.#decision) return this.#decision === wanted;
    try {
      if (wanted === 'left') this.#world.markLeft();
      else this.#world.clear();
    } catch (error) {
      this.#world.say(
        `the disk cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      );
      return false;
    }
    this.#decide(wanted);
    return true;
  }

  #decide(decision: Decision): void {
    this.#decision = decision;
    this.#stop.abort();
    this.#decided.resolve(decision);
  }
}
