// The interpreter of the migration table: a state and an event in, the next state and the wanted effects out.
// Assumes events were checked for key and epoch. Never performs an effect, never reads a clock.

import { yadoError } from './errors.ts';
import {
  type CopyEffect,
  type CopyEvent,
  type CopyState,
  copyEvents,
  copyRows,
  copyRunner,
  copyStates,
  type Role,
  type Row,
  type Runner,
  type SourceEffect,
  type SourceEvent,
  type SourceState,
  sourceEvents,
  sourceRows,
  sourceRunner,
  sourceStates,
  type TargetEffect,
  type TargetEvent,
  type TargetState,
  targetEvents,
  targetRows,
  targetRunner,
  targetStates,
} from './migration-table.ts';

/** What the table knows of one role: its states, events and effects. */
export interface RoleTypes {
  source: { state: SourceState; event: SourceEvent; effect: SourceEffect };
  target: { state: TargetState; event: TargetEvent; effect: TargetEffect };
  copy: { state: CopyState; event: CopyEvent; effect: CopyEffect };
}

export interface Machine<State extends string, Event extends string, Effect extends string> {
  readonly start: State;
  readonly states: readonly State[];
  readonly events: readonly Event[];
  readonly rows: readonly Row<State, Event, Effect>[];
  readonly runner: Readonly<Record<State, Runner>>;
  /** Events that only an agent makes: no helper ever sees them. */
  readonly agentEvents: readonly Event[];
}

/** The three machines, each with the state it starts in. */
export const machines: {
  readonly [R in Role]: Machine<RoleTypes[R]['state'], RoleTypes[R]['event'], RoleTypes[R]['effect']>;
} = {
  source: {
    start: 'idle',
    states: sourceStates,
    events: sourceEvents,
    rows: sourceRows,
    runner: sourceRunner,
    agentEvents: ['request'],
  },
  target: {
    start: 'standby',
    states: targetStates,
    events: targetEvents,
    rows: targetRows,
    runner: targetRunner,
    agentEvents: ['prepare'],
  },
  copy: {
    start: 'arriving',
    states: copyStates,
    events: copyEvents,
    rows: copyRows,
    runner: copyRunner,
    agentEvents: [],
  },
};

export interface Step<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
  readonly why: string;
}

/** The step from `state` on `event`, or undefined when the table has no row for the pair. */
export function findStep<R extends Role>(
  role: R,
  state: RoleTypes[R]['state'],
  event: RoleTypes[R]['event'],
): Step<RoleTypes[R]['state'], RoleTypes[R]['effect']> | undefined {
  const row = machines[role].rows.find(each => each.from.includes(state) && each.on.includes(event));
  return row && { state: row.to === 'same' ? state : row.to, effects: row.effects, why: row.why };
}

/**
 * The next state and the effects to perform, in their order.
 * Throws YadoError `illegalTransition` naming role, state and event when the table has no such row; the caller's
 * state is then unchanged.
 */
export function step<R extends Role>(
  role: R,
  state: RoleTypes[R]['state'],
  event: RoleTypes[R]['event'],
): Step<RoleTypes[R]['state'], RoleTypes[R]['effect']> {
  const found = findStep(role, state, event);
  if (!found) throw yadoError('illegalTransition', { role, state, event });
  return found;
}
