// What a marked disk that a standby has found is to it. One that several computers reach may be used from another one, and yet be the
// one that this computer starts from: then a person may have it start the OS, and nothing else is done with it. Pure.
import type { LeftBehind, Mark } from './ghost-state.ts';
import { isDisk } from './left-behind.ts';

export interface MarkStanding {
  /** As what is to be thought about where the OS is. */
  readonly mark: Mark;
  /** What of it is served from here. */
  readonly left: LeftBehind | undefined;
  /** The computer that uses the disk, or serves it. */
  readonly elsewhere: string | undefined;
  /** This computer is the one that starts from it. */
  readonly startsHere: boolean;
}

export function standingOf(found: Mark, computer: string): MarkStanding {
  const { move, ...mark } = found;
  const startsHere = (mark.starts ?? mark.computer).name === computer;
  // Who it was left at answers the claims of that move, and asks where the OS went.
  if (mark.computer.name !== computer)
    return {
      mark: { ...mark, state: 'left' },
      left: undefined,
      elsewhere: mark.usedBy ?? mark.computer.name,
      startsHere,
    };
  if (mark.usedBy === undefined) return { mark: found, left: found, elsewhere: undefined, startsHere };
  const others = { ...found, behind: found.behind.filter(each => !isDisk(each)) };
  return { mark: found, left: others, elsewhere: mark.usedBy, startsHere };
}

/**
 * True when what is on the disk is not the newest state of the OS. @param now what its mark says by now. @param isServed none of it has
 * been released from here
 */
export function isOldDisk(now: Mark | undefined, isServed: boolean, computer: string): boolean {
  if (!now) return true; // the OS was started from it since
  if (now.usedBy !== undefined) return false;
  return !now.behind.some(isDisk) || (now.computer.name === computer && !isServed);
}
