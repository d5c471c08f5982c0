// What a target shows of an OS that it takes in: first pages that are copied ahead, then the image. Never reads a clock.
import { etaMsOf, newRateMeter, type Progress, rateOf, withSample } from '#core/progress.ts';
import { PAGE_BYTES } from '#linux/memory-map.ts';
import type { HelperProgress } from './helper.ts';
import { bar } from './screen.ts';

export class TakingIn {
  readonly #move: Pick<Progress, 'id' | 'source' | 'target'> & { readonly imageBytes: number };
  readonly #startedAt: number;
  #meter = newRateMeter();
  #told: HelperProgress = { wireBytes: 0, pagesDone: 0, pagesTotal: 0, pagesParked: 0 };

  constructor(move: Pick<Progress, 'id' | 'source' | 'target'> & { imageBytes: number }, startedAt: number) {
    this.#move = move;
    this.#startedAt = startedAt;
  }

  /** The progress after what the helper has just told. */
  with(told: HelperProgress, timeMs: number): Progress {
    this.#told = told;
    this.#meter = withSample(this.#meter, timeMs, told.wireBytes);
    const { imageBytes, ...move } = this.#move;
    const sending = told.pagesTotal > 0;
    const bytesDone = (sending ? told.pagesDone : told.pagesParked) * PAGE_BYTES;
    return {
      ...move,
      phase: sending ? 'send' : told.pagesParked > 0 ? 'pre-copy' : 'prepare',
      bytesDone,
      // How much is copied ahead the source decides as it goes on.
      bytesTotal: sending ? told.pagesTotal * PAGE_BYTES : Math.max(bytesDone, imageBytes),
      bytesPerSecond: rateOf(this.#meter),
      etaMs: sending
        ? etaMsOf(this.#meter, told.wireBytes + (told.pagesTotal - told.pagesDone) * PAGE_BYTES)
        : null,
      elapsedMs: Math.max(0, timeMs - this.#startedAt),
    };
  }

  /** The same for the screen. */
  get lines(): string[] {
    const { pagesDone, pagesTotal, pagesParked, wireBytes } = this.#told;
    const rate = (rateOf(this.#meter) / 1e6).toFixed(0);
    const imagePages = Math.max(pagesParked, this.#move.imageBytes / PAGE_BYTES);
    return [
      pagesTotal > 0 ? 'it stands still' : 'it still runs there; its memory is copied ahead',
      pagesTotal > 0 ? bar(pagesDone, pagesTotal) : bar(pagesParked, imagePages),
      `${(wireBytes / 1e6).toFixed(0)} MB   ${rate} MB/s`,
    ];
  }
}
