// How long each side waits, in one place. All are scaled by one factor for slow machines: yado.timescale=N on the
// kernel command line (software emulation is ten times slower than hardware).
import { kernelParameter, readCmdline } from '#linux/cmdline.ts';
import type { HelperTimeouts } from '#wire/job.ts';

/** The factor, at least 1; anything that is not a number counts as 1. */
export function timeScale(): number {
  const scale = Number(kernelParameter(readCmdline(), 'yado.timescale') ?? 1);
  return scale >= 1 && scale <= 100 ? scale : 1;
}

const seconds = 1000;

/** On A. `claim` is how long A waits for the copy before it takes the OS back. */
export function sourceTimeouts(scale = timeScale()): HelperTimeouts {
  return {
    stallMs: 6 * seconds * scale,
    readyMs: 10 * seconds * scale,
    claimMs: 12 * seconds * scale,
    repeatMs: 100,
  };
}

/**
 * On A, before anything is stopped: `standby` is how long a ghost may take until it is a standby, `describe` a computer
 * that has just been started, until it has read its agent image.
 */
export function sourceWaits(scale = timeScale()): {
  readonly standbyMs: number;
  readonly describeMs: number;
} {
  return { standbyMs: 45 * seconds * scale, describeMs: 15 * seconds * scale };
}

/**
 * On A: how long disks may take to write what is to be written, at the beginning, and again just before the freeze, which
 * waits for them without a limit. B waits for the image meanwhile.
 */
export function syncWaits(scale = timeScale()): { readonly firstMs: number; readonly lastMs: number } {
  return { firstMs: 120 * seconds * scale, lastMs: 15 * seconds * scale };
}

/**
 * When an OS ends away from home. `away`: how long its last program asks those that only serve it, all at once; `tell`: then the one
 * it is started from; together less than the 90 s that systemd gives it. `settle`: how long they wait for its kernel to end before
 * they serve no more.
 */
export function farewellWaits(scale = timeScale()): {
  readonly tellMs: number;
  readonly awayMs: number;
  readonly settleMs: number;
} {
  return {
    tellMs: Math.min(60 * seconds * scale, 60 * seconds),
    awayMs: Math.min(5 * seconds * scale, 10 * seconds),
    settleMs: 3 * seconds * scale,
  };
}

/** On a lender: what nobody asks for so long is taken back. */
export function lentQuietMs(scale = timeScale()): number {
  return 15 * seconds * scale;
}

/** On B. `ready` covers the time from what was copied ahead to the image: A holds its devices, freezes, makes the image. */
export function targetTimeouts(scale = timeScale()): HelperTimeouts {
  return { stallMs: 6 * seconds * scale, readyMs: 30 * seconds * scale, claimMs: 1, repeatMs: 1 };
}
