// What a standby has said it will never take in: asked by a computer that was switched off while an OS was on its way here,
// it answers that it has not got it, and that computer starts the OS from its disk. From then on no copy may come to life
// here. Lost when this computer is switched off, and with it whatever could still have come.
import { yadoError } from '#core/errors.ts';
import type { ControlRequest } from '#wire/control.ts';

export class NeverAgain {
  readonly #computer: string;
  /** By OS, the newest epoch. */
  readonly #epochs = new Map<string, number>();

  constructor(computer: string) {
    this.#computer = computer;
  }

  promise({ osId, epoch }: ControlRequest<'whereIs'>): void {
    this.#epochs.set(osId, Math.max(epoch, this.#epochs.get(osId) ?? epoch));
  }

  /** @throws YadoError `staleEpoch` for a move that was given up */
  refuse({ osId, epoch }: Pick<ControlRequest<'prepare'>, 'osId' | 'epoch'>): void {
    const ours = this.#epochs.get(osId);
    if (ours === undefined || epoch > ours) return;
    throw yadoError('staleEpoch', { device: osId, computer: this.#computer, theirs: epoch, ours });
  }
}
