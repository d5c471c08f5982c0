// One request to the agent of another computer, over a connection of its own.
import type { ControlAnswer, ControlRequest, ControlType } from '#wire/control.ts';
import { type AskOptions, ControlSession, type Peer } from './control-session.ts';

export type { Peer } from './control-session.ts';

/** @throws YadoError as `ControlSession.ask` */
export async function ask<T extends ControlType>(
  peer: Peer,
  type: T,
  request: ControlRequest<T>,
  options: AskOptions,
): Promise<ControlAnswer<T>> {
  using session = new ControlSession(peer);
  return await session.ask(type, request, options);
}
