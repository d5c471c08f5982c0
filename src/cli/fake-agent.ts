// An agent for tests: a unix socket that answers as it is told. Used by tests only.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Terminal } from './terminal.ts';

export type Answer = (response: ServerResponse, body: unknown) => void;

export interface FakeAgent extends AsyncDisposable {
  readonly socketPath: string;
  /** Answers by "METHOD /path"; what is not there answers 404 in a way no agent does. */
  readonly answers: Map<string, Answer>;
  /** Every call so far, with its body. */
  readonly calls: { readonly call: string; readonly body: unknown }[];
  /** The event streams that are open. */
  readonly streams: Set<ServerResponse>;
  /** Says an event on all of them. */
  say(event: string, data: unknown): void;
}

export const json =
  (data: unknown, status = 200): Answer =>
  response => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(data));
  };

export async function startFakeAgent(): Promise<FakeAgent> {
  const folder = mkdtempSync(join(tmpdir(), 'yado-cli-'));
  const socketPath = join(folder, 'api.sock');
  const answers = new Map<string, Answer>();
  const calls: { call: string; body: unknown }[] = [];
  const streams = new Set<ServerResponse>();
  answers.set('GET /v1/events', response => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
    streams.add(response);
    response.on('close', () => streams.delete(response));
  });
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece;
    const call = `${request.method} ${request.url}`;
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    calls.push({ call, body });
    const answer = answers.get(call);
    if (answer) answer(response, body);
    else response.writeHead(404).end('nothing here');
  });
  await new Promise<void>(resolve => server.listen(socketPath, resolve));
  return {
    socketPath,
    answers,
    calls,
    streams,
    say(event, data) {
      for (const stream of streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}

export interface FakeTerminal extends Terminal {
  output: string;
  errors: string;
  /** Presses Ctrl-C. */
  interrupt(): void;
}

export function newFakeTerminal(isScreen = false, answers: (string | undefined)[] = []): FakeTerminal {
  const handlers = new Set<() => void>();
  const terminal: FakeTerminal = {
    output: '',
    errors: '',
    isScreen,
    out(text) {
      terminal.output += text;
    },
    error(text) {
      terminal.errors += text;
    },
    columns: () => 100,
    ask: async question => {
      terminal.output += question;
      return answers.shift();
    },
    onInterrupt(handler) {
      handlers.add(handler);
      return { [Symbol.dispose]: () => void handlers.delete(handler) };
    },
    interrupt: () => {
      for (const handler of handlers) handler();
    },
  };
  return terminal;
}
