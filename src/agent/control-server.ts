// Answers requests of other agents. A connection that sends anything but whole, valid messages is closed with an error;
// nothing it sends can take more than one message of memory or stop the agent.
import { createServer, type Server, type Socket } from 'node:net';
import { asYadoError, yadoError } from '#core/errors.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  type ControlType,
  checkRequest,
  controlRequests,
  decodeRequest,
  encodeAnswer,
  encodeErrorAnswer,
  MessageReader,
  protocolVersion,
} from '#wire/control.ts';
import { WireError } from '#wire/wire-error.ts';
import { log } from './log.ts';

/** `from` is the address of the asker. */
export type ControlHandlers = {
  readonly [T in ControlType]?: (
    request: ControlRequest<T>,
    from: string,
  ) => Promise<ControlAnswer<T>> | ControlAnswer<T>;
};

const idleTimeoutMs = 30_000;
const maxConnections = 32;

export class ControlServer {
  readonly #name: () => string;
  readonly #handlers: ControlHandlers;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(name: () => string, handlers: ControlHandlers) {
    this.#name = name;
    this.#handlers = handlers;
  }

  /** Listens on the machine address only; waits until that address is there. */
  async listen(address: string, port: number): Promise<void> {
    const server = createServer(socket => this.#serve(socket));
    server.maxConnections = maxConnections;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host: address, port }, resolve);
    await promise;
    this.#server = server;
  }

  /** Before a freeze: a frozen listener would go on taking connections in the name of the ghost. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise(resolve => server.close(resolve));
  }

  #serve(socket: Socket): void {
    const reader = new MessageReader();
    this.#sockets.add(socket);
    socket.setTimeout(idleTimeoutMs, () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      let messages: Buffer[] = [];
      try {
        messages = reader.push(chunk);
      } catch (error) {
        this.#refuse(socket, 0, error);
      }
      for (const message of messages) void this.#answer(socket, message);
    });
  }

  async #answer(socket: Socket, message: Buffer): Promise<void> {
    let id = 0;
    try {
      const request = decodeRequest(message);
      id = request.id;
      if (request.version !== protocolVersion) {
        throw yadoError('versionMismatch', {
          computer: socket.remoteAddress ?? 'the asker',
          theirs: request.version,
          ours: protocolVersion,
        });
      }
      if (!Object.hasOwn(controlRequests, request.type))
        throw yadoError('badRequest', { reason: `no request ${request.type.slice(0, 40)}` });
      const type = request.type as ControlType;
      const handler = this.#handlers[type] as ((body: unknown, from: string) => unknown) | undefined;
      if (!handler)
        throw yadoError('badRequest', {
          reason: `${this.#name()} does not answer "${type}" in its present role`,
        });
      const answer = await handler(checkRequest(type, request.body), socket.remoteAddress ?? '');
      if (!socket.destroyed) socket.write(encodeAnswer(id, answer));
    } catch (error) {
      this.#refuse(socket, id, error);
    }
  }

  #refuse(socket: Socket, id: number, error: unknown): void {
    const told =
      error instanceof WireError
        ? yadoError('badRequest', { reason: error.message })
        : asYadoError(error, this.#name());
    if (told.code === 'internal') log(`a request of ${socket.remoteAddress} failed: ${told.message}`);
    if (!socket.destroyed) socket.write(encodeErrorAnswer(id, told.toJSON()));
    if (error instanceof WireError) socket.end();
  }
}
