// A model of the world for the explorer: source A, computer B (target, then the restored copy) and the network between.
//
// - The network is a set of messages. Each may be delivered in any order, delivered and kept (repeated), or lost.
// - A and B may lose power at any moment. B may come back as an empty standby; what was under way to it on a connection is
//   gone then. A may come back during the first move: by what its disk says it starts the OS from there, or is in doubt
//   (src/agent/doubt.ts) until a copy claims, the OS asks for its disk, B says that it has nothing, or a person decides.
// - A's disk is marked between GO and the grant, and a claim waits for it; the mark goes when the OS goes on at A.
// - A's helper may die: before the grant the kernel thaws the OS at A. After it the ghost answers as the helper did, so
//   that nothing changes.
// - Every local step may succeed or fail; timers, cancel and a broken link may come in any state that has a row for it.
// - After a move that failed A may begin a second one, to a third computer. Of that one the model lets everything happen
//   to A (any event, at any time); the messages of the first move are still about, and a claim among them is stale.
// - A person accepts the risk of two copies only when A is off, and only during the first move, and leaves A off; a person
//   starts the OS from A's disk only when B has no copy: that is the meaning of the questions the person is asked.
//
// The rules come from the migration table alone: the model calls `findStep` and performs effects as messages.

import type { findStep } from '#core/machine.ts';
import {
  type CopyState,
  copyStates,
  type SourceEvent,
  type SourceState,
  sourceEvents,
  sourceRunner,
  sourceStates,
  type TargetEvent,
  type TargetState,
  targetEvents,
  targetStates,
} from '#core/migration-table.ts';

export type FindStep = typeof findStep;

const messages = [
  ...(['prepare', 'begin', 'complete', 'go', 'abort', 'grant', 'refuse'] as const), // to B
  ...(['prepared', 'sorry', 'ready', 'claim'] as const), // to A
] as const;
type Message = (typeof messages)[number];
const bit = (message: Message) => 1 << messages.indexOf(message);

export type AState = SourceState | 'off' | 'doubt';
/** B as a target, or with the restored copy in it. */
export type BState = `target:${TargetState}` | `copy:${CopyState}` | 'off';

const aStates: readonly AState[] = [...sourceStates, 'off', 'doubt'];
const bStates: readonly BState[] = [
  ...targetStates.map(state => `target:${state}` as const),
  ...copyStates.map(state => `copy:${state}` as const),
  'off',
];

export interface World {
  readonly a: AState;
  readonly b: BState;
  /** 1, or 2 while A moves to a third computer. */
  readonly attempt: 1 | 2;
  /** A granted the claim of the first move. */
  readonly granted: boolean;
  /** A's disk says that the OS is leaving, or has left, in the first move. */
  readonly mark: boolean;
  /** B has said that it will never take in what came in the first move. */
  readonly never: boolean;
  /** Messages under way, a bit each. */
  readonly net: number;
}

export type Kind = 'work' | 'deliver' | 'timer' | 'loss' | 'cancel' | 'person' | 'power';
export interface Edge {
  readonly label: string;
  readonly kind: Kind;
  readonly to: World;
}

export const firstWorld: World = {
  a: 'idle',
  b: 'target:standby',
  attempt: 1,
  granted: false,
  mark: false,
  never: false,
  net: 0,
};
export const worldCount = aStates.length * bStates.length * 16 * (1 << messages.length);

const aNumber = new Map(aStates.map((state, index) => [state, index]));
const bNumber = new Map(bStates.map((state, index) => [state, index]));

/** A number below `worldCount` for every world. */
export function encode(world: World): number {
  const flags =
    (world.attempt - 1) * 8 + Number(world.granted) * 4 + Number(world.mark) * 2 + Number(world.never);
  const computers = aNumber.get(world.a)! * bStates.length + bNumber.get(world.b)!;
  return (world.net * aStates.length * bStates.length + computers) * 16 + flags;
}

export function decode(code: number): World {
  const flags = code % 16;
  let rest = Math.floor(code / 16);
  const b = bStates[rest % bStates.length]!;
  rest = Math.floor(rest / bStates.length);
  const a = aStates[rest % aStates.length]!;
  return {
    a,
    b,
    attempt: flags >= 8 ? 2 : 1,
    granted: (flags & 4) !== 0,
    mark: (flags & 2) !== 0,
    never: (flags & 1) !== 0,
    net: Math.floor(rest / aStates.length),
  };
}

/** True while A may be running the OS: also while it freezes and while it thaws. */
export function runsAtA({ a }: World): boolean {
  return ['idle', 'preflight', 'preparing', 'preCopying', 'freezing', 'returning', 'returned'].includes(a);
}

/** True when the copy on B runs. */
export function runsAtB({ b }: World): boolean {
  return b === 'copy:resuming';
}

/** True when a third computer may run the OS after the second move. */
export function runsElsewhere({ a, attempt }: World): boolean {
  return attempt === 2 && a === 'granted';
}

export function describe(world: World): string {
  const net = messages.filter(message => world.net & bit(message)).join(' ');
  return `move ${world.attempt}: A ${world.a}, B ${world.b}${world.granted ? ', granted' : ''}${world.mark ? ', marked' : ''}${world.never ? ', never' : ''}, under way: ${net || '-'}`;
}

const kinds: Readonly<Record<string, Kind>> = {
  timeout: 'timer',
  linkLost: 'timer',
  timer: 'timer',
  cancel: 'cancel',
};
const kindOf = (event: string): Kind => kinds[event] ?? 'work';

/** The same answers, faster: the explorer asks millions of times. */
export function remembered(find: FindStep): FindStep {
  const known = new Map<string, Map<string, ReturnType<FindStep>>>();
  const ask = (...[role, state, event]: Parameters<FindStep>) => {
    const pair = role + state;
    const events = known.get(pair) ?? new Map<string, ReturnType<FindStep>>();
    known.set(pair, events);
    if (!events.has(event)) events.set(event, find(role, state, event));
    return events.get(event);
  };
  return ask as FindStep;
}

function sourceStep(find: FindStep, world: World, event: SourceEvent): World | undefined {
  if (world.a === 'off' || world.a === 'doubt') return undefined;
  if (event === 'request' && world.mark) return undefined; // its disk is not up again
  const waitsForMark = world.a === 'awaitingClaim' && world.attempt === 1 && !world.mark;
  if (event === 'claim' && waitsForMark) return undefined; // the copy asks again
  const found = find('source', world.a, event);
  if (!found) return undefined;
  let { net, attempt, granted } = world;
  const send = (message: Message) => {
    if (attempt === 1) net |= bit(message);
  };
  if (event === 'request' && world.a === 'returned') attempt = 2;
  for (const effect of found.effects) {
    if (effect === 'prepare') send('prepare');
    else if (effect === 'preCopy') send('begin');
    else if (effect === 'sendGo') send('go');
    else if (effect === 'rollBack') send('abort');
    else if (effect === 'refuse' && (attempt === 1 || event === 'staleClaim')) net |= bit('refuse');
    else if (effect === 'grant') {
      send('grant');
      granted ||= attempt === 1;
    }
  }
  if (world.a === 'sending' && event === 'ok') send('complete');
  return { ...world, a: found.state, net, attempt, granted };
}

function targetStep(find: FindStep, world: World, state: TargetState, event: TargetEvent): World | undefined {
  const found = find('target', state, event);
  if (!found) return undefined;
  let { net } = world;
  for (const effect of found.effects) {
    if (effect === 'openImage') net |= bit('prepared');
    else if (effect === 'sendReady') net |= bit('ready');
    else if (effect === 'discard') net |= bit('sorry');
  }
  return { ...world, b: `target:${found.state}`, net };
}

function copyStep(
  find: FindStep,
  world: World,
  state: CopyState,
  event: 'ok' | 'failed' | 'grant' | 'refuse' | 'timer' | 'acceptRisk',
): World | undefined {
  const found = find('copy', state, event);
  if (!found) return undefined;
  const net = found.effects.includes('claim') ? world.net | bit('claim') : world.net;
  return { ...world, b: `copy:${found.state}`, net };
}

/** What a message that arrives does; undefined when nobody listens to it any more. */
function deliver(find: FindStep, world: World, message: Message): World | undefined {
  const { a, b, attempt } = world;
  switch (message) {
    case 'prepared':
      return attempt === 1 && a === 'preparing' ? sourceStep(find, world, 'ok') : undefined;
    case 'sorry':
      return attempt === 1 ? sourceStep(find, world, 'refused') : undefined;
    case 'ready':
      return attempt === 1 ? sourceStep(find, world, 'ready') : undefined;
    case 'claim':
      if (a === 'doubt') return { ...world, a: 'granted', granted: true, net: world.net | bit('grant') };
      return sourceStep(find, world, attempt === 1 ? 'claim' : 'staleClaim');
    case 'grant':
    case 'refuse':
      return b.startsWith('copy:') ? copyStep(find, world, b.slice(5) as CopyState, message) : undefined;
    case 'prepare':
      return b === 'target:standby' && !world.never ? targetStep(find, world, 'standby', message) : undefined;
    default:
      return b.startsWith('target:')
        ? targetStep(find, world, b.slice(7) as TargetState, message)
        : undefined;
  }
}

/** B's kernel is another one: its connections are gone, with what was under way on them, and so is what it has said. */
function startedAnew(world: World): World {
  const connections = bit('prepare') | bit('begin') | bit('complete') | bit('go') | bit('abort');
  return { ...world, never: false, net: world.net & ~connections };
}

/** Everything that can happen next. */
export function nextWorlds(find: FindStep, world: World, withPower: boolean): Edge[] {
  const edges: Edge[] = [];
  const add = (label: string, kind: Kind, to: World | undefined) => {
    if (to) edges.push({ label, kind, to });
  };

  for (const message of messages) {
    if (!(world.net & bit(message))) continue;
    const without = { ...world, net: world.net & ~bit(message) };
    add(`${message} is lost`, 'loss', without);
    add(`${message} arrives`, 'deliver', deliver(find, without, message));
    const after = deliver(find, world, message);
    add(`${message} arrives, to come again`, 'deliver', after);
  }

  // At A. In the second move the third computer may do anything; in the first, B's part comes by message.
  const byMessage: readonly SourceEvent[] =
    world.attempt === 1 ? ['ready', 'refused', 'claim', 'staleClaim'] : ['staleClaim'];
  for (const event of sourceEvents) {
    if (byMessage.includes(event) || (world.attempt === 1 && world.a === 'preparing' && event === 'ok'))
      continue;
    if (event === 'request' && world.attempt === 2) continue;
    add(`A: ${event}`, kindOf(event), sourceStep(find, world, event));
  }

  const { a, b, attempt, mark } = world;
  if (a === 'awaitingClaim' && attempt === 1 && !mark) add('A: marks', 'work', { ...world, mark: true });
  if (a === 'returned' && mark) add('A: takes the mark away', 'work', { ...world, mark: false });
  if (a === 'doubt') {
    const starts: World = { ...world, a: 'returned', mark: false, granted: false };
    if (b === 'copy:resuming') add('A hears the OS', 'work', { ...world, a: 'granted' });
    if (b === 'target:standby') add('B: nothing here', 'work', { ...starts, never: true });
    if (!b.startsWith('copy:')) add('a person starts the OS at A', 'person', starts);
  }

  // At B.
  if (world.b.startsWith('target:')) {
    const state = world.b.slice(7) as TargetState;
    const wire: readonly TargetEvent[] = ['prepare', 'begin', 'complete', 'go', 'abort'];
    for (const event of targetEvents.filter(each => !wire.includes(each))) {
      add(`B: ${event}`, kindOf(event), targetStep(find, world, state, event));
    }
    if (state === 'restoring') add('B: restored', 'work', { ...world, b: 'copy:arriving' });
  } else if (world.b.startsWith('copy:')) {
    const state = world.b.slice(5) as CopyState;
    if (state === 'arriving') {
      add('copy: ok', 'work', copyStep(find, world, state, 'ok'));
      add('copy: failed', 'work', copyStep(find, world, state, 'failed'));
    }
    add('copy: timer', 'timer', copyStep(find, world, state, 'timer'));
    if (world.a === 'off' && world.attempt === 1) {
      add('a person accepts the risk', 'person', copyStep(find, world, state, 'acceptRisk'));
    }
    if (state === 'refused') add('B: reset', 'work', { ...startedAnew(world), b: 'target:standby' });
  }

  if (withPower) {
    const helped = a !== 'off' && a !== 'doubt' && sourceRunner[a] === 'helper';
    if (helped && world.a !== 'granted') add("A's helper dies", 'power', { ...world, a: 'returned' });
    if (world.a !== 'off') add('A loses power', 'power', { ...world, a: 'off' });
    const accepted = b === 'copy:resuming' && !world.granted;
    if (a === 'off' && attempt === 1 && !accepted)
      add('A comes back', 'power', { ...world, a: mark ? 'doubt' : 'returned' });
    if (world.b !== 'off') add('B loses power', 'power', { ...startedAnew(world), b: 'off' });
    else add('B comes back', 'power', { ...world, b: 'target:standby' });
  }
  return edges;
}
