// `yado migrate` and `yado wait`: ask for a move, or join the one under way, follow it, and on Ctrl-C ask the person
// what to do. Only the agent moves anything; ending this program ends no move.

import {
  AcceptedSchema,
  type DryRun,
  DryRunSchema,
  EmptySchema,
  type MigrateRequest,
  StatusSchema,
} from '#core/api.ts';
import { asYadoError, families } from '#core/errors.ts';
import { standsAgainst } from '#core/preflight.ts';
import type { ApiClient } from './api-client.ts';
import { followMove, newProgressView, type ProgressView } from './follow-move.ts';
import { renderError, renderMoved } from './render.ts';
import { renderDryRun } from './render-checks.ts';
import type { Terminal } from './terminal.ts';

/** What a shell gets when Ctrl-C ended a program. */
const interruptedExitCode = 130;

/** Prints checks and plan. Exit code 0 when the OS could move, else that of a refusal. */
export async function dryRun(
  client: ApiClient,
  terminal: Terminal,
  request: MigrateRequest,
  json: boolean,
): Promise<number> {
  const answer: DryRun = await client.call('migrate', DryRunSchema, { ...request, dryRun: true });
  const columns = terminal.isScreen ? terminal.columns() : undefined;
  const text = (): string => renderDryRun(answer, request.to, { all: false, columns });
  terminal.out(json ? `${JSON.stringify(answer, null, 2)}\n` : text());
  return answer.checks.some(standsAgainst) ? families.refused.exitCode : 0;
}

/** Asks for the move and follows it to its end. Throws the error the move ended with. */
export async function migrate(
  client: ApiClient,
  terminal: Terminal,
  request: MigrateRequest,
  json: boolean,
): Promise<number> {
  return followed(client, terminal, json, async () => {
    const { id } = await client.call('migrate', AcceptedSchema, request);
    return id;
  });
}

/** Follows the move under way, if there is one. */
export async function wait(client: ApiClient, terminal: Terminal, json: boolean): Promise<number> {
  return followed(client, terminal, json, async () => {
    const { migration } = await client.call('status', StatusSchema);
    if (!migration && !json) terminal.out('No move is under way.\n');
    return migration?.id;
  });
}

async function followed(
  client: ApiClient,
  terminal: Terminal,
  json: boolean,
  begin: () => Promise<string | undefined>,
): Promise<number> {
  const leave = new AbortController();
  // The stream first: nothing that is said after the request is missed.
  const events = await client.events(leave.signal);
  const view = newProgressView(terminal, json);
  try {
    const id = await begin();
    if (id === undefined) return 0;
    using _ = onCtrlC(client, terminal, view, leave);
    const entry = await followMove(client, id, events, view, leave.signal);
    view.clear();
    if (!json) terminal.out(renderMoved(entry));
    return 0;
  } catch (error) {
    view.clear();
    if (!leave.signal.aborted) throw error;
    terminal.error('The move goes on without this program. Later: yado wait, yado cancel\n');
    return interruptedExitCode;
  } finally {
    leave.abort();
  }
}

/** First Ctrl-C asks; a second one while it asks, or when nobody can answer, leaves the move to itself. */
function onCtrlC(
  client: ApiClient,
  terminal: Terminal,
  view: ProgressView,
  leave: AbortController,
): Disposable {
  let asking = false;
  const handle = async () => {
    if (asking) return leave.abort();
    asking = true;
    view.pause(true);
    const answer = await terminal.ask(
      'Cancel the move [c], leave it running and quit [q], or go on watching [Enter]? ',
      leave.signal,
    );
    view.pause(false);
    asking = false;
    if (answer === undefined || answer.startsWith('q')) leave.abort();
    else if (answer.startsWith('c')) await client.call('cancel', EmptySchema);
  };
  return terminal.onInterrupt(() => {
    handle().catch(error => terminal.error(renderError(asYadoError(error, 'this computer'))));
  });
}
