// Every fault point of a move: a step of one of its programs, the ways in which it can be made to fail there, and what
// must follow. The frozen helper takes its numbers from here, the agent the names; test/faults.test.ts walks all of them.
// Pure. Faults are armed for tests only, as `point:kind` or `point:kind=N`.

import type { ErrorCode } from './errors.ts';
import type { Phase } from './progress.ts';

/** Whose step it is: A's helper, B's, the copy on B (A's helper, restored there), or A's ghost. */
export type FaultSide = 'source' | 'target' | 'copy' | 'ghost';

/** How a step can fail. Numbers are those of the helper; 0 is none. */
export const faultKinds = {
  crash: { number: 1, what: 'the program that does it dies', n: '' },
  error: { number: 2, what: 'it fails', n: 'errno, 5 (EIO) when not given; 12 is memory that ran out' },
  delay: { number: 3, what: 'it is late', n: 'milliseconds' },
  lost: { number: 4, what: 'its message is lost', n: 'how many of them, 1 when not given' },
  repeat: { number: 5, what: 'its message comes twice', n: '' },
  reset: { number: 6, what: 'the computer starts anew', n: '' },
  panic: { number: 7, what: "the computer's kernel panics", n: '' },
} as const;
export type FaultKind = keyof typeof faultKinds;

/** What must hold in the end. In each of them one OS runs, or none does and A's disk has all that was written. */
export const faultEnds = {
  stays: 'the OS goes on at A, nothing was stopped',
  returns: 'the OS goes on at A after a roll back; B is a standby again',
  moves: 'the OS goes on at B',
} as const;
export type FaultEnd = keyof typeof faultEnds;

export interface FaultResult {
  readonly end: FaultEnd;
  /** Of the error a person reads at A; none when the move succeeds, or when A's own agent is not there to tell. */
  readonly code?: ErrorCode;
  /** The N with which it comes to that. */
  readonly n?: number;
}

/** How far a move has come at a step: what a cable or a power switch can still do there. */
export const faultStages = ['running', 'frozen', 'handedOver', 'granted', 'returning'] as const;
export type FaultStage = (typeof faultStages)[number];

export interface FaultPoint {
  readonly side: FaultSide;
  readonly phase: Phase;
  readonly stage: FaultStage;
  /** Completes "when it …". */
  readonly step: string;
  readonly kinds: Readonly<Partial<Record<FaultKind, FaultResult>>>;
}

const stays = (code: ErrorCode, n?: number): FaultResult => ({ end: 'stays', code, ...(n && { n }) });
const returns = (code: ErrorCode, n?: number): FaultResult => ({ end: 'returns', code, ...(n && { n }) });
const moves: FaultResult = { end: 'moves' };
const movesAfter = (n: number): FaultResult => ({ end: 'moves', n });

function point(
  phase: Phase,
  stage: FaultStage,
  step: string,
  kinds: FaultPoint['kinds'],
): Omit<FaultPoint, 'side'> {
  return { phase, stage, step, kinds };
}

// biome-ignore-start format: one row a line, to be read as a table
const rows = {
  'source.begin': point('prepare', 'running', 'shows B its token', {
    lost: returns('linkLost'),
    delay: moves,
    crash: stays('internal'),
  }),
  'source.preCopy': point('pre-copy', 'running', 'copies memory ahead', {
    error: moves,
    delay: moves,
    crash: stays('internal'),
  }),
  'source.freeze': point('freeze', 'running', 'stops user space', {
    error: returns('freezeFailed'),
    delay: moves,
    crash: stays('internal'),
  }),
  'source.leave': point('freeze', 'frozen', 'puts devices aside', {
    error: returns('deviceLeaveFailed'),
    delay: moves,
    crash: returns('internal'),
  }),
  'source.image': point('freeze', 'frozen', 'makes the image', {
    error: returns('imageFailed', 12),
    delay: moves,
    crash: returns('internal'),
  }),
  'source.serve': point('freeze', 'frozen', 'takes its devices back as raw ones', {
    error: returns('deviceLeaveFailed'),
    delay: moves,
    crash: returns('internal'),
  }),
  'source.ghost': point('freeze', 'frozen', 'starts the ghost', {
    error: returns('ghostFailed'),
    delay: moves,
    crash: returns('internal'),
  }),
  'source.pages': point('send', 'frozen', 'reads the image, some of which is sent', {
    error: returns('imageFailed'),
    delay: moves,
    crash: returns('internal'),
  }),
  'source.end': point('send', 'frozen', 'says that the image is whole', {
    lost: returns('linkLost'),
    repeat: returns('badFrame'),
    delay: moves,
    crash: returns('internal'),
  }),
  'source.go': point('handover', 'frozen', 'says GO', {
    lost: returns('linkLost'),
    repeat: moves,
    delay: moves,
    crash: returns('internal'),
  }),
  'source.mark': point('handover', 'handedOver', 'has the disk marked', {
    error: returns('markFailed'),
    lost: returns('markFailed'),
    delay: moves,
    crash: returns('internal'),
  }),
  'source.claim': point('claim', 'granted', 'hears a claim that it will grant', {
    lost: movesAfter(3),
    delay: moves,
    crash: returns('internal'),
  }),
  'source.grant': point('claim', 'granted', 'answers GRANT', {
    lost: movesAfter(3),
    repeat: moves,
    delay: moves,
    crash: moves,
  }),
  'source.abort': point('return', 'returning', 'says that it takes the OS back', {
    lost: returns('imageFailed'),
    delay: returns('imageFailed'),
  }),
  'source.back': point('return', 'returning', 'brings its devices back', {
    error: returns('imageFailed'),
    delay: returns('imageFailed'),
    crash: returns('internal'),
  }),
  'source.thaw': point('return', 'returning', 'lets user space go on', {
    delay: returns('imageFailed'),
    crash: returns('internal'),
  }),

  'target.open': point('prepare', 'running', 'opens /dev/snapshot', {
    error: stays('targetRefused'),
    delay: moves,
    crash: stays('targetRefused'),
  }),
  'target.room': point('prepare', 'running', 'takes room for what is copied ahead', {
    error: stays('targetRefused', 12),
  }),
  'target.recall': point('pre-copy', 'running', 'looks for pages of the OS in its own memory', {
    error: moves,
    delay: moves,
    crash: returns('linkLost'),
  }),
  'target.frames': point('send', 'frozen', 'compares page frames with its RAM', {
    error: returns('frameOutsideRam'),
  }),
  'target.write': point('send', 'frozen', 'gives the kernel a page, some of which it has', {
    error: returns('targetRefused', 12),
    delay: moves,
    crash: returns('linkLost'),
    reset: returns('linkLost'),
    panic: returns('linkLost'),
  }),
  'target.freeze': point('send', 'frozen', 'stops its own programs', {
    error: returns('freezeFailed'),
    delay: moves,
    crash: returns('linkLost'),
  }),
  'target.ready': point('handover', 'frozen', 'says READY', {
    lost: returns('linkLost'),
    repeat: moves,
    delay: moves,
    crash: returns('linkLost'),
  }),
  'target.restore': point('handover', 'handedOver', 'restores', {
    error: returns('restoreFailed'),
    delay: moves,
    crash: returns('claimTimeout'),
    reset: returns('claimTimeout'),
    panic: returns('claimTimeout'),
  }),

  'copy.arrive': point('arrive', 'handedOver', 'opens its way to A', {
    error: returns('claimTimeout'),
    delay: moves,
    crash: returns('claimTimeout'),
    reset: returns('claimTimeout'),
    panic: returns('claimTimeout'),
  }),
  'copy.claim': point('claim', 'handedOver', 'asks for the OS', {
    lost: movesAfter(3),
    repeat: moves,
    crash: returns('claimTimeout'),
  }),
  'copy.adopt': point('arrive', 'granted', 'takes over the network', {
    error: moves,
    delay: moves,
    crash: moves,
  }),
  'copy.thaw': point('arrive', 'granted', 'lets user space go on', { delay: moves, crash: moves }),

  'ghost.start': point('freeze', 'frozen', 'starts', { crash: returns('ghostFailed'), delay: moves }),
  'ghost.mark': point('handover', 'handedOver', 'marks the disk', {
    error: returns('markFailed'),
    delay: moves,
    crash: returns('ghostFailed'),
  }),
  'ghost.disk': point('after', 'granted', 'serves the disk that was left', { error: moves, delay: moves }),
  'ghost.alive': point('after', 'granted', 'hears that the OS is alive', { lost: movesAfter(3) }),
} as const satisfies Record<string, Omit<FaultPoint, 'side'>>;
// biome-ignore-end format: the table ends here

export type FaultName = keyof typeof rows;
export const faultNames = Object.keys(rows) as FaultName[];

/** Every fault point by its name, which begins with its side. */
export const faultPoints = Object.fromEntries(
  faultNames.map(name => [name, { side: name.split('.')[0], ...rows[name] }]),
) as Readonly<Record<FaultName, FaultPoint>>;

/** Its number for the helper; the ghost's points have one too, which nobody asks for. */
export const faultNumber = (name: FaultName): number => faultNames.indexOf(name) + 1;

/** Faults from outside, at any step: there is no hook for them, whoever tests waits at a `delay`. */
export const outerFaults = {
  cut: 'the cable is pulled and put back after 5 s',
  powerTarget: 'B loses power',
  powerSource: 'A loses power',
} as const;
export type OuterFault = keyof typeof outerFaults;

/** What an outer fault may lead to at a step of that stage. */
export const outerResults: Readonly<Record<FaultStage, Readonly<Record<OuterFault, string>>>> = {
  running: {
    cut: 'it only delays, or the OS goes on at A',
    powerTarget: 'the OS goes on at A',
    powerSource: 'the OS starts again from its disk when A is switched on; B is a standby again',
  },
  frozen: {
    cut: 'it only delays, or the OS goes on at A',
    powerTarget: 'the OS goes on at A',
    powerSource: 'the OS starts again from its disk when A is switched on; B is a standby again',
  },
  handedOver: {
    cut: 'it only delays, or the OS goes on at A',
    powerTarget: 'the OS goes on at A; when a claim of B is on its way already, as behind the grant',
    powerSource:
      'the copy on B waits and does not run; when A is switched on, it grants the copy if the disk is marked, else the OS starts from its disk and the copy is refused',
  },
  granted: {
    cut: 'it only delays',
    powerTarget: 'the disk at A has all that was written; a person may start the OS from it',
    powerSource:
      'A is a standby when it is switched on: it grants the copy on B that has not heard of its grant, and serves the disk; programs wait for it',
  },
  returning: {
    cut: 'the OS goes on at A',
    powerTarget: 'the OS goes on at A',
    powerSource: 'the OS starts again from its disk when A is switched on; B is a standby again',
  },
};

export interface ArmedFault {
  readonly point: FaultName;
  readonly kind: FaultKind;
  /** Undefined: as the kind says. */
  readonly n: number | undefined;
}

const isName = (text: string): text is FaultName => Object.hasOwn(rows, text);

/** `point:kind` or `point:kind=N`. @throws RangeError for one that is not in the table: no test arms nothing */
export function parseFault(text: string): ArmedFault {
  const [, point = '', kind = '', n] = /^([\w.]+):(\w+)(?:=(\d+))?$/.exec(text) ?? [];
  const kinds: FaultPoint['kinds'] = isName(point) ? faultPoints[point].kinds : {};
  if (!isName(point) || !Object.hasOwn(kinds, kind)) throw new RangeError(`no fault point ${text}`);
  return { point, kind: kind as FaultKind, n: n === undefined ? undefined : Number(n) };
}

/** A list of them, separated by commas. @throws RangeError as `parseFault` */
export function parseFaults(text: string): ArmedFault[] {
  return text.split(',').filter(Boolean).map(parseFault);
}

/** What is armed at this point in this way, and its N. */
export function faultArmed(
  faults: readonly ArmedFault[],
  point: FaultName,
  kind: FaultKind,
): number | undefined {
  const found = faults.find(each => each.point === point && each.kind === kind);
  return found && (found.n ?? 1);
}
