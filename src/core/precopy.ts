// The policy of the pre-copy: after each round, one more or freeze; and what is shown of a round under way. Pure.
// The helper copies and measures; it never decides this.

import { movingAgentImage } from './capabilities.ts';

/** A round that is over. Bytes of the pages that were sent in it, and how long it took. */
export interface Round {
  readonly bytes: number;
  readonly durationMs: number;
}

export interface NextStep {
  /** `wait`: rounds bring nothing now, perhaps they do later. */
  readonly step: 'again' | 'freeze' | 'wait' | 'giveUp';
  /** Completes "freezing, for …" in the log. */
  readonly why: string;
  /** How long the OS would stand still now, when somebody has a wish about it. */
  readonly downtimeMs?: number;
}

/** How long the OS may stand still, as somebody wants it. Milliseconds. */
export interface DowntimeWish {
  readonly maxMs: number;
  /** What a standstill takes besides sending, as the last one did; 0 when it is not known. */
  readonly restMs: number;
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
  /** Between looks for a quiet moment. */
  readonly pauseMs: number;
  /** After so long no quiet moment is hoped for any more. */
  readonly patienceMs: number;
}

export const preCopyLimits: PreCopyLimits = {
  maxRounds: 5,
  targetMs: 300,
  smallBytes: 16 * 2 ** 20,
  shrink: 0.3,
  pauseMs: 5000,
  patienceMs: 120_000,
};

/** What is known when a round is over. */
export interface Situation {
  /** Of this attempt: behind a pause they begin anew. One at least. */
  readonly rounds: readonly Round[];
  /** The target has no more room for pages it does not have yet. */
  readonly full: boolean;
  /** Bytes that can only be sent after the freeze because of that. */
  readonly leftOutBytes: number;
  /** Since the first time a quiet moment was waited for. */
  readonly waitedMs: number;
  readonly wish?: DowntimeWish | undefined;
}

/**
 * As long as rounds help there are more; then the OS is frozen, unless it would stand still for longer than somebody wants:
 * then a quiet moment is waited for, and in the end the move given up. With a wish that no quiet moment can meet, at once.
 */
export function decide(situation: Situation, limits = preCopyLimits): NextStep {
  const { rounds, full, leftOutBytes, waitedMs, wish } = situation;
  const next = nextStep(rounds, full, limits);
  if (!wish || next.step !== 'freeze') return next;
  const downtimeMs = wish.restMs + (forecast(rounds, leftOutBytes) ?? 0);
  if (downtimeMs <= wish.maxMs) return { ...next, downtimeMs };
  if (wish.restMs > wish.maxMs)
    return { step: 'giveUp', why: 'all but the sending alone takes longer', downtimeMs: wish.restMs };
  if (waitedMs >= limits.patienceMs) return { step: 'giveUp', why: 'there was no quiet moment', downtimeMs };
  return { step: 'wait', why: next.why, downtimeMs };
}

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

/**
 * Milliseconds it takes to send once more what the last round sent, and `moreBytes`, at the best rate so far; null when
 * unknown.
 */
export function forecast(rounds: readonly Round[], moreBytes = 0): number | null {
  const last = rounds.at(-1);
  const best = Math.max(
    0,
    ...rounds.map(({ bytes, durationMs }) => (durationMs > 0 ? bytes / durationMs : 0)),
  );
  return last && best > 0 ? (last.bytes + moreBytes) / best : null;
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
 * Whether a target looks through all its memory for pages of the OS: one that it was the last to leave has left many, and
 * where no memory is set aside for the agent the same agent lies in the memory of both. Others would make it read everything
 * for little. `lastHere`: id of the OS that has left it, if any since it was switched on.
 */
export function mayHavePages(osId: string, lastHere: string | undefined, agentImageHash: string): boolean {
  return lastHere === osId || agentImageHash === movingAgentImage;
}
