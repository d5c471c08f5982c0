// What the frozen helper tells its agent while it copies memory ahead, several times a round and at its end. Pure.
import { preCopyBytes } from '#wire/frames.ts';
import { WireError } from '#wire/wire-error.ts';

/** `over`: the agent says whether there is another one. `impossible`: no more can be copied, only the freeze is left. */
export const roundStates = ['underWay', 'over', 'impossible'] as const;
export type RoundState = (typeof roundStates)[number];

export interface PreCopyRound {
  /** Counts from 1; 0 when there was none, and before the first, while the target looks for pages that it has. */
  readonly round: number;
  readonly state: RoundState;
  /** errno of what could not be read, 0 when none. */
  readonly error: number;
  /** Pages that the target has found in its own memory before the first round. */
  readonly pagesRecalled: number;
  /** Page frames that were looked at in this round, of how many in all. */
  readonly framesDone: number;
  readonly framesTotal: number;
  /** Pages that were sent in this round. */
  readonly pagesSent: number;
  /** How many more pages the target has room for. */
  readonly roomPages: number;
  /** Bytes on the wire since the beginning. */
  readonly wireBytes: number;
}

/** u32 round, u32 state, u32 errno, u32 recalled, u64 × 4. @throws WireError */
export function decodePreCopy(arg: bigint, payload: Buffer): PreCopyRound {
  if (payload.length !== preCopyBytes) throw new WireError('badReport', `a round of ${payload.length} bytes`);
  const state = roundStates[payload.readUInt32LE(4)];
  if (state === undefined) throw new WireError('badReport', `a round in state ${payload.readUInt32LE(4)}`);
  const u64 = (at: number): number => Number(payload.readBigUInt64LE(at));
  return {
    round: payload.readUInt32LE(0),
    state,
    error: payload.readUInt32LE(8),
    pagesRecalled: payload.readUInt32LE(12),
    framesDone: u64(16),
    framesTotal: u64(24),
    pagesSent: u64(32),
    roomPages: u64(40),
    wireBytes: Number(arg),
  };
}
