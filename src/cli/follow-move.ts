// Follows a move on the event stream until its end and shows it. This very process is part of the OS that moves: it is
// frozen with it and goes on at the other computer. So silence of any length is normal and no clock is read.

import { setTimeout as sleep } from 'node:timers/promises';
import { StatusSchema } from '#core/api.ts';
import { errorFromBody, YadoError, yadoError } from '#core/errors.ts';
import { type HistoryEntry, HistorySchema } from '#core/history.ts';
import type { Progress } from '#core/progress.ts';
import type { ApiClient, ApiEvent } from './api-client.ts';
import { renderProgress, renderProgressLine } from './render.ts';
import type { Terminal } from './terminal.ts';
import { printable } from './text-table.ts';

/** Shows progress: a line redrawn on a screen, plain lines elsewhere, JSON lines for programs. */
export interface ProgressView {
  show(event: ApiEvent): void;
  /** Clears the line that is being redrawn. */
  clear(): void;
  /** Shows nothing while a question stands on the screen; the next event after it shows again. */
  pause(paused: boolean): void;
}

export function newProgressView(terminal: Terminal, json: boolean): ProgressView {
  let drawn = false;
  let lastShown = '';
  let isPaused = false;
  const clear = () => {
    if (drawn) terminal.out('\r\u001b[K');
    drawn = false;
  };
  const plain = (progress: Progress) => {
    const tenth = progress.bytesTotal > 0 ? Math.floor((progress.bytesDone / progress.bytesTotal) * 10) : 0;
    const shown = `${progress.phase} ${tenth}`;
    if (shown === lastShown) return;
    lastShown = shown;
    terminal.out(`${printable(renderProgress(progress))}\n`);
  };
  return {
    clear,
    pause(paused) {
      clear();
      isPaused = paused;
    },
    show(event) {
      if (json) terminal.out(`${JSON.stringify({ event: event.event, ...event.data })}\n`);
      else if (event.event !== 'progress' || isPaused) return;
      else if (!terminal.isScreen) plain(event.data);
      else {
        terminal.out(`\r\u001b[K${printable(renderProgressLine(event.data, terminal.columns() - 1))}`);
        drawn = true;
      }
    },
  };
}

const reconnectTries = 60;
const reconnectMs = 500;

/**
 * Waits for the end of the move `id`, beginning with the open stream `events`. Resolves with its history entry; throws
 * the error it ended with. When the stream breaks (the agent was restarted) it asks anew and looks into the history.
 */
export async function followMove(
  client: ApiClient,
  id: string,
  events: AsyncIterable<ApiEvent>,
  view: ProgressView,
  signal?: AbortSignal,
): Promise<HistoryEntry> {
  let stream: AsyncIterable<ApiEvent> | undefined = events;
  let lastError: unknown;
  for (let tries = 0; tries < reconnectTries; tries += 1) {
    if (stream) {
      for await (const event of stream) {
        tries = 0;
        if (event.event !== 'failed' && event.data.id !== id) continue;
        view.show(event);
        if (event.event === 'done') return ended(event.data);
        if (event.event === 'failed') throw errorFromBody(event.data.error);
      }
    }
    signal?.throwIfAborted();
    try {
      // Opened before the history is read: an end that comes in between is then on the stream.
      stream = await client.events(signal);
      const entry = (await client.call('history', HistorySchema)).find(each => each.id === id);
      if (entry) {
        view.show({ event: 'done', data: entry });
        return ended(entry);
      }
      const { migration } = await client.call('status', StatusSchema);
      if (migration?.id !== id)
        throw yadoError('internal', {
          computer: 'this computer',
          reason: 'the agent has forgotten the move',
        });
    } catch (error) {
      if (!(error instanceof YadoError) || error.code !== 'agentNotRunning') throw error;
      lastError = error;
      stream = undefined;
    }
    await sleep(reconnectMs, undefined, signal && { signal });
  }
  throw lastError;
}

function ended(entry: HistoryEntry): HistoryEntry {
  if (entry.outcome === 'moved') return entry;
  if (entry.error) throw errorFromBody(entry.error);
  throw yadoError('internal', { computer: entry.source, reason: `the move ended as "${entry.outcome}"` });
}
