// What is shown of a move under way: phase, bytes, rate, time left. Fed by whoever carries the move; never reads a clock.
import { etaMsOf, newRateMeter, type Phase, type Progress, rateOf, withSample } from '#core/progress.ts';
import { formatMs } from '#core/quantities.ts';
import type { PreCopyProgress } from './pre-copy.ts';
import type { MoveRequest } from './source-move.ts';

export class MoveProgress {
  readonly #move: Pick<Progress, 'id' | 'source' | 'target'>;
  readonly #startedAt: number;
  #phase: Phase = 'preflight';
  #round: number | undefined;
  #note: string | undefined;
  #done = 0;
  #total = 0;
  #meter = newRateMeter();

  constructor(request: Pick<MoveRequest, 'id' | 'here' | 'target'>, startedAt: number) {
    this.#move = { id: request.id, source: request.here.name, target: request.target.name };
    this.#startedAt = startedAt;
  }

  /** Bytes belong to a phase: another one begins without. */
  enter(phase: Phase): void {
    if (phase === this.#phase) return;
    const arriving = phase === 'after' && this.#phase === 'arrive';
    this.#phase = phase;
    this.#round = undefined;
    this.#meter = newRateMeter();
    if (!arriving) this.#done = this.#total = 0;
  }

  /** Room is made for the image. */
  swapping(bytesDone: number, bytesTotal: number, timeMs: number): void {
    this.enter('prepare');
    this.#note = 'swapping out what the image has no room for';
    this.#done = bytesDone;
    this.#total = bytesTotal;
    this.#meter = withSample(this.#meter, timeMs, bytesDone);
  }

  copied({ round, bytesDone, bytesTotal, without, waitsAtMs }: PreCopyProgress, timeMs: number): void {
    this.enter('pre-copy');
    this.#note = this.#noteOf(round, without, waitsAtMs);
    if (round !== this.#round) this.#meter = newRateMeter();
    this.#round = round || undefined;
    this.#done = bytesDone;
    this.#total = bytesTotal;
    this.#meter = withSample(this.#meter, timeMs, bytesDone);
  }

  #noteOf(round: number, without?: string, waitsAtMs?: number): string | undefined {
    if (without !== undefined) return `without copying ahead: ${without}`;
    if (waitsAtMs !== undefined)
      return `waiting for a quiet moment: now the OS would stand still for ${formatMs(waitsAtMs)}`;
    return round === 0 ? `${this.#move.target} looks for what it has of the OS` : undefined;
  }

  /** The OS woke up on the target; `sent`: bytes of the whole move. */
  arrived(sent: number): void {
    this.enter('arrive');
    this.#done = this.#total = sent;
  }

  at(timeMs: number): Progress {
    return {
      ...this.#move,
      phase: this.#phase,
      ...(this.#round !== undefined && { round: this.#round }),
      ...(this.#note !== undefined && { note: this.#note }),
      bytesDone: this.#done,
      bytesTotal: this.#total,
      bytesPerSecond: rateOf(this.#meter),
      etaMs: this.#phase === 'pre-copy' ? etaMsOf(this.#meter, this.#total) : null,
      elapsedMs: Math.max(0, timeMs - this.#startedAt),
    };
  }
}
