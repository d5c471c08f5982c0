// Answers requests of other agents, one after the other on a connection. A connection that sends anything but whole,
// valid messages is closed with an error; nothing is read while an answer waits to be taken, so that no peer can make
// the agent hold more than one message and its answers, or stop it.
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
/** A peer that was refused gets this long to read why. */
const lingerMs = 1000;

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
      socket.pause();
      void this.#take(socket, reader, chunk).then(() => socket.resume());
    });
  }

  /** Answers what is whole now, in order, each when the answer before it has gone out. Never rejects. */
  async #take(socket: Socket, reader: MessageReader, chunk: Buffer): Promise<void> {
    if (socket.writableEnded) return; // refused: what still comes is thrown away
    let messages: Buffer[] = [];
    try {
      messages = reader.push(chunk);
    } catch (error) {
      this.#refuse(socket, 0, error);
    }
    for (const message of messages) {
      await this.#answer(socket, message);
      if (socket.writableNeedDrain) await drained(socket);
      if (socket.writableEnded || socket.destroyed) return;
    }
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
      if (!handler) throw yadoError('notInThisRole', { computer: this.#name(), request: type });
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
    if (error instanceof WireError) {
      socket.end();
      setTimeout(() => socket.destroy(), lingerMs).unref();
    }
  }
}

/** Until the peer has taken what was written, or is gone: the idle time-out ends one that never reads. */
function drained(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
