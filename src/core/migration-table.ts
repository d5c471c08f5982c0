// biome-ignore-all format: one row a line, to be read as a table
// The migration as one table: for each role, states × events → next state + effects. The agent runs the rows
// whose state belongs to it; the frozen helper runs the others from a C table generated from this one.
// Assumes that every event was checked to belong to this very migration (key and epoch); a claim that does not is
// `staleClaim`. Knows nothing of clocks or wires; never performs an effect itself.

export type Role = 'source' | 'target' | 'copy';

/** Who runs a state: the agent (TypeScript) or, while user space is frozen, the frozen helper (C). */
export type Runner = 'agent' | 'helper';

export type SourceState =
  | 'idle' | 'preflight' | 'preparing' | 'preCopying'
  | 'freezing' | 'leaving' | 'imaging' | 'serving' | 'sending' | 'awaitingReady' | 'awaitingClaim' | 'granted' | 'returning'
  | 'returned';
export type SourceEvent = 'request' | 'ok' | 'failed' | 'ready' | 'refused' | 'cancel' | 'linkLost' | 'timeout' | 'claim' | 'staleClaim';
export type SourceEffect =
  | 'check' | 'prepare' | 'report' | 'preCopy'
  | 'freeze' | 'leave' | 'makeImage' | 'serve' | 'sendImage' | 'sendGo' | 'grant' | 'refuse' | 'rollBack';

export type TargetState = 'standby' | 'prepared' | 'receiving' | 'freezing' | 'ready' | 'restoring';
export type TargetEvent = 'prepare' | 'begin' | 'complete' | 'bad' | 'ok' | 'failed' | 'go' | 'abort' | 'cancel' | 'linkLost' | 'timeout';
export type TargetEffect = 'openImage' | 'freeze' | 'sendReady' | 'restore' | 'discard';

export type CopyState = 'arriving' | 'claiming' | 'resuming' | 'refused';
export type CopyEvent = 'ok' | 'failed' | 'grant' | 'refuse' | 'timer' | 'acceptRisk';
export type CopyEffect = 'arrive' | 'claim' | 'resume' | 'reset';

/** One row: in any state of `from`, any event of `on` leads to `to` and asks for `effects`, in this order. */
export interface Row<State, Event, Effect> {
  readonly from: readonly State[];
  readonly on: readonly Event[];
  readonly to: State | 'same';
  readonly effects: readonly Effect[];
  readonly why: string;
}

export const sourceStates: readonly SourceState[] = [
  'idle', 'preflight', 'preparing', 'preCopying', 'freezing', 'leaving', 'imaging', 'serving', 'sending', 'awaitingReady',
  'awaitingClaim', 'granted', 'returning', 'returned',
];
export const targetStates: readonly TargetState[] = ['standby', 'prepared', 'receiving', 'freezing', 'ready', 'restoring'];
export const copyStates: readonly CopyState[] = ['arriving', 'claiming', 'resuming', 'refused'];
export const sourceEvents: readonly SourceEvent[] = [
  'request', 'ok', 'failed', 'ready', 'refused', 'cancel', 'linkLost', 'timeout', 'claim', 'staleClaim',
];
export const targetEvents: readonly TargetEvent[] = [
  'prepare', 'begin', 'complete', 'bad', 'ok', 'failed', 'go', 'abort', 'cancel', 'linkLost', 'timeout',
];
export const copyEvents: readonly CopyEvent[] = ['ok', 'failed', 'grant', 'refuse', 'timer', 'acceptRisk'];

/** Source states in which A still owns the OS and may roll back for any reason. */
const beforeGo = ['preCopying', 'freezing', 'leaving', 'imaging', 'serving', 'sending', 'awaitingReady'] as const;

export const sourceRunner: Readonly<Record<SourceState, Runner>> = {
  idle: 'agent', preflight: 'agent', preparing: 'agent',
  preCopying: 'helper', // round by round, as its agent decides
  freezing: 'helper', leaving: 'helper', imaging: 'helper', serving: 'helper', sending: 'helper',
  awaitingReady: 'helper', awaitingClaim: 'helper', granted: 'helper', returning: 'helper',
  returned: 'agent',
};

export const copyRunner: Readonly<Record<CopyState, Runner>> = {
  arriving: 'helper', claiming: 'helper', resuming: 'helper', refused: 'helper',
};

export const sourceRows: readonly Row<SourceState, SourceEvent, SourceEffect>[] = [
  { from: ['idle', 'returned'], on: ['request'], to: 'preflight', effects: ['check'], why: 'a person asks for the move' },
  { from: ['preflight'], on: ['ok'], to: 'preparing', effects: ['prepare'], why: 'nothing speaks against it' },
  { from: ['preparing'], on: ['ok'], to: 'preCopying', effects: ['preCopy'], why: 'plans made, target has room; the OS runs on' },
  { from: ['preflight', 'preparing'], on: ['failed', 'refused', 'cancel', 'linkLost', 'timeout'], to: 'idle', effects: ['report'], why: 'nothing was changed yet' },
  { from: ['idle', 'preflight', 'preparing', 'returned'], on: ['claim'], to: 'same', effects: ['refuse'], why: 'A runs the OS: no copy may' },

  { from: ['preCopying'], on: ['ok'], to: 'freezing', effects: ['freeze'], why: 'what is still to be sent gets no less' },
  { from: ['freezing'], on: ['ok'], to: 'leaving', effects: ['leave'], why: 'user space stands still' },
  { from: ['leaving'], on: ['ok'], to: 'imaging', effects: ['makeImage'], why: 'devices B lacks are put aside' },
  { from: ['imaging'], on: ['ok'], to: 'serving', effects: ['serve'], why: 'the image is whole' },
  { from: ['serving'], on: ['ok'], to: 'sending', effects: ['sendImage'], why: 'A has its devices back as raw ones' },
  { from: ['sending'], on: ['ok'], to: 'awaitingReady', effects: [], why: 'the last frame is out' },
  { from: ['awaitingReady'], on: ['ready'], to: 'awaitingClaim', effects: ['sendGo'], why: 'B holds the whole image and has frozen itself' },
  { from: ['awaitingReady'], on: ['ok'], to: 'same', effects: [], why: 'nothing was asked' },
  { from: beforeGo, on: ['failed', 'refused', 'cancel', 'linkLost', 'timeout'], to: 'returning', effects: ['rollBack'], why: 'before the grant A may go back for any reason' },
  { from: ['preCopying', 'freezing', 'leaving', 'imaging', 'serving', 'sending'], on: ['ready'], to: 'returning', effects: ['rollBack'], why: 'READY before the last frame: B does not keep to the protocol' },
  { from: beforeGo, on: ['claim'], to: 'returning', effects: ['refuse', 'rollBack'], why: 'a claim before GO: REFUSED is final, so this move is over' },

  { from: ['awaitingClaim'], on: ['claim'], to: 'granted', effects: ['grant'], why: 'the one point of no return' },
  { from: ['awaitingClaim'], on: ['linkLost', 'ready', 'ok'], to: 'same', effects: [], why: "B's standby kernel and its sockets are gone while it restores" },
  { from: ['awaitingClaim'], on: ['failed', 'refused', 'cancel', 'timeout'], to: 'returning', effects: ['rollBack'], why: 'nobody claimed: A still owns the OS' },
  { from: ['granted'], on: ['claim'], to: 'same', effects: ['grant'], why: 'the same claim gets the same answer, however often' },
  { from: ['granted'], on: ['ok', 'failed', 'ready', 'refused', 'cancel', 'linkLost', 'timeout'], to: 'same', effects: [], why: 'this copy never runs again' },
  { from: ['returning'], on: ['claim'], to: 'same', effects: ['refuse'], why: 'a late copy must not run' },
  { from: ['returning'], on: ['ok', 'failed'], to: 'returned', effects: ['report'], why: 'the OS goes on at A, even with a device that did not come back' },
  { from: ['returning'], on: ['ready', 'refused', 'cancel', 'linkLost', 'timeout'], to: 'same', effects: [], why: 'already on the way back' },
  { from: sourceStates, on: ['staleClaim'], to: 'same', effects: ['refuse'], why: 'the copy of an earlier move (its epoch, signed with its key): that move ended at A, for good' },
];

export const targetRunner: Readonly<Record<TargetState, Runner>> = {
  standby: 'agent', prepared: 'helper', receiving: 'helper', freezing: 'helper', ready: 'helper', restoring: 'helper',
};

export const targetRows: readonly Row<TargetState, TargetEvent, TargetEffect>[] = [
  { from: ['standby'], on: ['prepare'], to: 'prepared', effects: ['openImage'], why: 'a source asked and there is room' },
  { from: ['prepared'], on: ['begin'], to: 'receiving', effects: [], why: 'the stream is encrypted with the key of this move and shows its token' },
  { from: ['receiving'], on: ['complete'], to: 'freezing', effects: ['freeze'], why: 'every page is written' },
  { from: ['freezing'], on: ['ok'], to: 'ready', effects: ['sendReady'], why: 'nothing on B runs any more' },
  { from: ['ready'], on: ['go'], to: 'restoring', effects: ['restore'], why: 'A has put down its addresses' },
  { from: ['prepared', 'receiving', 'freezing', 'ready'], on: ['bad', 'failed', 'abort', 'cancel', 'linkLost', 'timeout'], to: 'standby', effects: ['discard'], why: 'without GO the image means nothing' },
  { from: ['prepared', 'receiving', 'freezing'], on: ['go'], to: 'standby', effects: ['discard'], why: 'GO before READY: A does not keep to the protocol' },
  { from: ['receiving', 'freezing', 'ready'], on: ['begin'], to: 'standby', effects: ['discard'], why: 'one stream a move' },
  { from: ['prepared', 'freezing', 'ready'], on: ['complete'], to: 'standby', effects: ['discard'], why: 'an end that does not belong here' },
  { from: ['prepared', 'receiving', 'ready'], on: ['ok'], to: 'same', effects: [], why: 'nothing was asked' },
  { from: ['restoring'], on: ['begin', 'complete', 'bad', 'ok', 'go', 'abort', 'cancel', 'linkLost', 'timeout'], to: 'same', effects: [], why: 'the kernel has the computer now; only its answer counts' },
  { from: ['restoring'], on: ['failed'], to: 'standby', effects: ['discard'], why: 'the kernel refused; A hears it and takes the OS back' },
];

export const copyRows: readonly Row<CopyState, CopyEvent, CopyEffect>[] = [
  { from: ['arriving'], on: ['ok'], to: 'claiming', effects: ['claim'], why: 'the way to A is open' },
  { from: ['arriving'], on: ['failed'], to: 'refused', effects: ['reset'], why: 'without a way to A it can never be granted' },
  { from: ['claiming'], on: ['timer'], to: 'same', effects: ['claim'], why: 'no answer: keep asking' },
  { from: ['claiming'], on: ['grant'], to: 'resuming', effects: ['resume'], why: 'B owns the OS' },
  { from: ['claiming'], on: ['refuse'], to: 'refused', effects: ['reset'], why: 'the OS runs at A: become a standby again' },
  { from: ['claiming'], on: ['acceptRisk'], to: 'resuming', effects: ['resume'], why: 'only a person may say that A is dead' },
  { from: ['arriving'], on: ['grant', 'refuse', 'timer', 'acceptRisk'], to: 'same', effects: [], why: 'it has not asked yet; it will, and get the same answer' },
  { from: ['claiming'], on: ['ok', 'failed'], to: 'same', effects: [], why: 'a claim that could not be sent is sent again by the timer' },
  { from: ['resuming', 'refused'], on: ['ok', 'failed', 'grant', 'refuse', 'timer', 'acceptRisk'], to: 'same', effects: [], why: 'already decided' },
];
