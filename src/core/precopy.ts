// The policy of the pre-copy: after each round, one more or freeze; and what is shown of a round under way. Pure.
// The helper copies and measures; it never decides this.

/** A round that is over. Bytes of the pages that were sent in it, and how long it took. */
export interface Round {
  readonly bytes: number;
  readonly durationMs: number;
}

export interface NextStep {
  readonly step: 'again' | 'freeze';
  /** Completes "freezing, for …" in the log. */
  readonly why: string;
}

/** What the rounds aim at. */
export interface PreCopyLimits {
  readonly maxRounds: number;
  /** The OS may be frozen when what has changed is forecast to be sent in this time. */
  readonly targetMs: number;
  /** Less than this is not worth another look at the whole memory. */
  readonly smallBytes: number;
  /** A round must be this much smaller than the one before, as a share of it, or more rounds bring nothing. */
  readonly shrink: number;
}

export const preCopyLimits: PreCopyLimits = {
  maxRounds: 5,
  targetMs: 300,
  smallBytes: 16 * 2 ** 20,
  shrink: 0.3,
};

/** After `rounds`, of which there is one at least. `full`: the target has no more room for pages it does not have yet. */
export function nextStep(rounds: readonly Round[], full: boolean, limits = preCopyLimits): NextStep {
  const last = rounds.at(-1);
  const before = rounds.at(-2);
  const freeze = (why: string): NextStep => ({ step: 'freeze', why });
  if (!last) return freeze('nothing was copied');
  if (last.bytes < limits.smallBytes) return freeze('little has changed');
  const forecastMs = forecast(rounds);
  if (forecastMs !== null && forecastMs < limits.targetMs)
    return freeze(`what has changed takes ${Math.round(forecastMs)} ms`);
  if (full) return freeze('the target has no more room');
  if (before && last.bytes > before.bytes * (1 - limits.shrink))
    return freeze('the OS changes its memory as fast as it is copied');
  if (rounds.length >= limits.maxRounds) return freeze(`there were ${rounds.length} rounds`);
  return { step: 'again', why: 'less is left each time' };
}

/** Milliseconds it takes to send once more what the last round sent, at the best rate so far; null when unknown. */
export function forecast(rounds: readonly Round[]): number | null {
  const last = rounds.at(-1);
  const best = Math.max(
    0,
    ...rounds.map(({ bytes, durationMs }) => (durationMs > 0 ? bytes / durationMs : 0)),
  );
  return last && best > 0 ? last.bytes / best : null;
}

/**
 * Bytes that a round under way will have sent at its end, as far as can be told: as densely as so far. `used` is what
 * the first round is expected to send.
 */
export function roundTotal(
  { round, bytes, share }: { round: number; bytes: number; share: number },
  used: number,
): number {
  const seen = Math.min(1, Math.max(0, share));
  const rest =
    round <= 1 ? Math.max(0, used - bytes) * (1 - seen) : seen > 0 ? (bytes / seen) * (1 - seen) : 0;
  return Math.round(bytes + rest);
}

/** Left free at the target besides the image and the parked pages. */
const spareBytes = 64 * 2 ** 20;

/**
 * How many bytes a target with `freeBytes` can hold before an image of about `imageBytes`: never so many that its kernel
 * would not find room for the image, also when that has grown meanwhile by a third of what is left.
 */
export function parkBytesOf(freeBytes: number, imageBytes: number): number {
  const left = Math.max(0, freeBytes - imageBytes * 1.05 - spareBytes);
  return Math.floor(Math.min(left * (2 / 3), imageBytes * 1.25));
}

/**
 * Whether a target looks through all its memory for pages of the OS: only one that was there last has left many. Others
 * would make it read everything for little. `lastHere`: id of the OS that has left it, if any since it was switched on.
 */
export function mayHavePages(osId: string, lastHere: string | undefined): boolean {
  return lastHere === osId;
}
