// The client of the agent's local API: HTTP over a unix socket, JSON, server-sent events. It sets no time limit: the
// process itself may be frozen and moved to another computer in the middle of an answer. Every failure is a YadoError.

import { type IncomingMessage, request } from 'node:http';
import * as v from 'valibot';
import { apiPaths, ErrorAnswerSchema, eventSchemas } from '#core/api.ts';
import { errorFromBody, yadoError } from '#core/errors.ts';
import type { ErrorBody, HistoryEntry } from '#core/history.ts';
import type { Progress } from '#core/progress.ts';
import { newEventReader, type ServerEvent } from './event-stream.ts';

export type ApiEvent =
  | { readonly event: 'progress'; readonly data: Progress }
  | { readonly event: 'done'; readonly data: HistoryEntry }
  | { readonly event: 'failed'; readonly data: { readonly error: ErrorBody } };

export type ApiCall = Exclude<keyof typeof apiPaths, 'events'>;

export interface ApiClient {
  /** Calls the agent; throws the agent's own error, `agentNotRunning`, `notAllowed` or `internal`. */
  call<Schema extends v.GenericSchema>(
    name: ApiCall,
    schema: Schema,
    body?: unknown,
  ): Promise<v.InferOutput<Schema>>;
  /** Opens the event stream; resolves once it is open, so that nothing said later is missed. */
  events(signal?: AbortSignal): Promise<AsyncIterable<ApiEvent>>;
}

export function newApiClient(socketPath: string): ApiClient {
  const send = (name: keyof typeof apiPaths, body?: unknown, signal?: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const [method, path] = apiPaths[name].split(' ');
    const text = method === 'POST' ? JSON.stringify(body ?? {}) : undefined;
    const outgoing = request(
      {
        socketPath,
        method,
        path,
        agent: false,
        headers:
          text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        ...(signal && { signal }),
      },
      resolve,
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const denied = error.code === 'EACCES' || error.code === 'EPERM';
      reject(yadoError(denied ? 'notAllowed' : 'agentNotRunning', { socket: socketPath }, error));
    });
    outgoing.end(text);
    return promise;
  };

  return {
    async call(name, schema, body) {
      const answer = await send(name, body);
      const json = parseJson(await textOf(answer, socketPath));
      if (!isSuccess(answer)) throw errorOf(json, answer);
      return checked(schema, json, apiPaths[name]);
    },
    async events(signal) {
      const answer = await send('events', undefined, signal);
      if (!isSuccess(answer)) throw errorOf(parseJson(await textOf(answer, socketPath)), answer);
      return eventsOf(answer);
    },
  };
}

const isSuccess = (answer: IncomingMessage) => (answer.statusCode ?? 500) < 400;

async function textOf(answer: IncomingMessage, socketPath: string): Promise<string> {
  try {
    let text = '';
    for await (const piece of answer.setEncoding('utf8')) text += piece;
    return text;
  } catch (error) {
    throw yadoError('agentNotRunning', { socket: socketPath }, error);
  }
}

/** Ends when the agent ends the stream or goes away. */
async function* eventsOf(answer: IncomingMessage): AsyncGenerator<ApiEvent> {
  const reader = newEventReader();
  answer.setEncoding('utf8');
  try {
    for await (const piece of answer) {
      for (const each of reader.push(String(piece))) {
        const event = apiEvent(each);
        if (event) yield event;
      }
    }
  } catch (error) {
    // A reset or an abort is the end of the stream; anything else is ours.
    if (!(error instanceof Error && 'code' in error)) throw error;
  } finally {
    answer.destroy();
  }
}

/** Undefined for events that this version does not know. */
function apiEvent({ event, data }: ServerEvent): ApiEvent | undefined {
  if (!Object.hasOwn(eventSchemas, event)) return undefined;
  const name = event as keyof typeof eventSchemas;
  return { event: name, data: checked(eventSchemas[name], parseJson(data), `event ${event}`) } as ApiEvent;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function checked<Schema extends v.GenericSchema>(
  schema: Schema,
  json: unknown,
  what: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  throw yadoError('internal', {
    computer: 'this computer',
    reason: `the agent's answer to ${what} is not understood (${v.summarize(result.issues).split('\n')[0]})`,
  });
}

function errorOf(json: unknown, answer: IncomingMessage) {
  const body = v.safeParse(ErrorAnswerSchema, json);
  if (body.success) return errorFromBody(body.output.error);
  return yadoError('internal', {
    computer: 'this computer',
    reason: `the agent answered with status ${answer.statusCode}`,
  });
}
