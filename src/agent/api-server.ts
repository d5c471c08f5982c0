// The local API: HTTP over a unix socket, JSON, live events as server-sent events. Only root can open the socket.
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import * as v from 'valibot';
import {
  apiPaths,
  type ConfirmRequest,
  ConfirmRequestSchema,
  type DoctorRequest,
  DoctorRequestSchema,
  defaultSocketPath,
  type LendRequest,
  LendRequestSchema,
  type MediumRequest,
  MediumRequestSchema,
  type MigrateRequest,
  MigrateRequestSchema,
  type PairRequest,
  PairRequestSchema,
  type ReturnRequest,
  ReturnRequestSchema,
  type StandbyRequest,
  StandbyRequestSchema,
  type UnpairRequest,
  UnpairRequestSchema,
} from '#core/api.ts';
import { asYadoError, type families, type YadoError, yadoError } from '#core/errors.ts';

type Answer = object | null | Promise<object | null>;

/** What a role answers; a path without handler says so in a sentence. */
export interface ApiHandlers {
  status?: () => Answer;
  devices?: () => Answer;
  where?: () => Answer;
  computers?: () => Answer;
  history?: () => Answer;
  doctor?: (request: DoctorRequest) => Answer;
  migrate?: (request: MigrateRequest) => Promise<{ status: number; body: object }>;
  cancel?: () => Answer;
  standby?: (request: StandbyRequest) => Answer;
  lend?: (request: LendRequest) => Answer;
  return?: (request: ReturnRequest) => Answer;
  pairs?: () => Answer;
  pair?: (request: PairRequest) => Answer;
  accept?: () => Answer;
  confirm?: (request: ConfirmRequest) => Answer;
  unpair?: (request: UnpairRequest) => Answer;
  resume?: () => Answer;
  medium?: (request: MediumRequest) => Answer;
  /** The event a new listener begins with. */
  firstEvent?: () => { event: string; data: unknown } | undefined;
}

const maxBodyBytes = 64 * 1024;
const statusOf: Readonly<Record<keyof typeof families, number>> = {
  usage: 400,
  unreachable: 502,
  refused: 409,
  failed: 500,
  busy: 409,
  cancelled: 409,
  internal: 500,
};

/** What the calls that answer at once are asked with. */
const bodies = {
  doctor: DoctorRequestSchema,
  standby: StandbyRequestSchema,
  lend: LendRequestSchema,
  return: ReturnRequestSchema,
  pair: PairRequestSchema,
  confirm: ConfirmRequestSchema,
  unpair: UnpairRequestSchema,
  medium: MediumRequestSchema,
} as const;

export class ApiServer {
  readonly #handlers: ApiHandlers;
  readonly #listeners = new Set<ServerResponse>();
  #server: Server | undefined;

  constructor(handlers: ApiHandlers) {
    this.#handlers = handlers;
  }

  async listen(path = defaultSocketPath): Promise<void> {
    rmSync(path, { force: true });
    const server = createServer((request, response) => void this.#serve(request, response));
    server.requestTimeout = 0; // an event stream lasts as long as a move, and time stands still in between
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(path, resolve);
    await promise;
    chmodSync(path, 0o600);
    this.#server = server;
  }

  /** Hangs up on everyone and stops listening. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  }

  /** Sends an event to everyone who listens. */
  emit(event: 'progress' | 'done' | 'failed', data: unknown): void {
    for (const response of this.#listeners) sendEvent(response, event, data);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const wanted = `${request.method} ${(request.url ?? '').split('?')[0]}`;
      const name = (Object.keys(apiPaths) as (keyof typeof apiPaths)[]).find(
        each => apiPaths[each] === wanted,
      );
      if (!name) throw yadoError('badRequest', { reason: `there is no ${wanted.slice(0, 80)}` });
      if (name === 'events') return this.#listen(response);
      const { status, body } = await this.#answer(name, request);
      send(response, status, body);
    } catch (error) {
      const told = asYadoError(error, 'this computer');
      send(response, statusOf[told.family], { error: told.toJSON() });
    }
  }

  async #answer(
    name: Exclude<keyof typeof apiPaths, 'events'>,
    request: IncomingMessage,
  ): Promise<{ status: number; body: unknown }> {
    const handler = this.#handlers[name];
    if (!handler)
      throw yadoError('badRequest', {
        reason: `this computer has no OS; "${name}" is for the computer that has it`,
      });
    if (name === 'migrate') return this.#handlers.migrate!(await readBody(request, MigrateRequestSchema));
    const schema = Object.hasOwn(bodies, name) ? bodies[name as keyof typeof bodies] : undefined;
    const asked = schema && (await readBody<v.GenericSchema>(request, schema));
    return { status: 200, body: await (handler as (request: unknown) => Answer)(asked) };
  }

  #listen(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
    this.#listeners.add(response);
    response.on('close', () => this.#listeners.delete(response));
    const first = this.#handlers.firstEvent?.();
    if (first) sendEvent(response, first.event, first.data);
  }
}

function sendEvent(response: ServerResponse, event: string, data: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

async function readBody<Schema extends v.GenericSchema>(
  request: IncomingMessage,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > maxBodyBytes)
      throw yadoError('badRequest', { reason: `a body of more than ${maxBodyBytes} bytes` });
    chunks.push(chunk as Buffer);
  }
  const result = v.safeParse(schema, parseJson(Buffer.concat(chunks).toString('utf8')));
  if (!result.success)
    throw yadoError('badRequest', { reason: v.summarize(result.issues).replaceAll('\n', ' ') });
  return result.output;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text || '{}');
  } catch {
    return undefined;
  }
}

/** For the event stream: the same shape as an error answer. */
export function errorEvent(error: YadoError): { error: object } {
  return { error: error.toJSON() };
}
