// Answers requests of the OSes that are paired with this computer, one after the other on a connection. Whoever does not
// prove a pinned key is told so and hung up on, and nothing of what it says is read. A connection that sends anything but
// whole, valid messages is closed with an error; nothing is read while an answer waits to be taken, so that no peer can
// make the agent hold more than one message and its answers, or stop it.
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { asYadoError, type YadoError, yadoError } from '#core/errors.ts';
import type { ServerKeys } from '#managers/identity.ts';
import { peerKey, secureOptions } from '#managers/secure-socket.ts';
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

/** `asker` is the id of the OS that asks; a request that names an OS names that one. */
export type ControlHandlers = {
  readonly [T in ControlType]?: (
    request: ControlRequest<T>,
    asker: string,
  ) => Promise<ControlAnswer<T>> | ControlAnswer<T>;
};

const idleTimeoutMs = 30_000;
const maxConnections = 32;
/** That have not proved who they are; a newer one drives out the oldest, so that a crowd keeps nobody out. */
const maxStrangers = 16;
const handshakeTimeoutMs = 10_000;
/** A peer that was refused gets this long to read why. */
const lingerMs = 1000;

export class ControlServer {
  readonly #name: () => string;
  readonly #handlers: ControlHandlers;
  readonly #keys: () => ServerKeys;
  readonly #sockets = new Set<TLSSocket>();
  /** Connections whose handshake is under way, by where they come from; oldest first. */
  readonly #strangers = new Map<string, Socket>();
  #server: Server | undefined;

  /** @param keys asked when it begins to listen, and who may ask at every connection */
  constructor(name: () => string, handlers: ControlHandlers, keys: () => ServerKeys) {
    this.#name = name;
    this.#handlers = handlers;
    this.#keys = keys;
  }

  /** Listens on the machine address only; waits until that address is there. */
  async listen(address: string, port: number): Promise<void> {
    // Loaded only now: that takes as long as the rest of a ghost's modules.
    const server = process.getBuiltinModule('node:tls').createServer(
      {
        ...secureOptions(this.#keys().identity),
        requestCert: true,
        handshakeTimeout: handshakeTimeoutMs,
      },
      socket => this.#admit(socket),
    );
    server.on('connection', socket => this.#greet(socket));
    server.on('tlsClientError', (_, socket) => socket.destroy());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host: address, port }, resolve);
    await promise;
    this.#server = server;
  }

  /** Before a freeze: a frozen listener would go on taking connections in the name of the ghost. */
  async close(): Promise<void> {
    for (const socket of [...this.#strangers.values(), ...this.#sockets]) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise(resolve => server.close(resolve));
  }

  #greet(socket: Socket): void {
    const where = origin(socket);
    this.#strangers.set(where, socket);
    socket.on('close', () => this.#strangers.delete(where));
    const [oldest] = this.#strangers.values();
    if (this.#strangers.size > maxStrangers) oldest?.destroy();
  }

  /** After the handshake: the peer has the key it shows. */
  #admit(socket: TLSSocket): void {
    this.#strangers.delete(origin(socket));
    this.#sockets.add(socket);
    socket.setTimeout(idleTimeoutMs, () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const key = peerKey(socket);
    const asker = key && this.#keys().ownerOf(key);
    if (asker === undefined) {
      log(`refused ${socket.remoteAddress}: it is not paired with this computer`);
      this.#hangUp(socket, yadoError('strangerRefused', { computer: this.#name() }));
    } else if (this.#sockets.size > maxConnections) socket.destroy();
    else this.#serve(socket, asker);
  }

  #serve(socket: TLSSocket, asker: string): void {
    const reader = new MessageReader();
    socket.on('data', (chunk: Buffer) => {
      socket.pause();
      void this.#take(socket, asker, reader, chunk).then(() => socket.resume());
    });
  }

  /** With a last word, which is no answer to anything; what still comes is thrown away. */
  #hangUp(socket: TLSSocket, error: YadoError): void {
    socket.end(encodeErrorAnswer(0, error.toJSON()));
    socket.resume();
    setTimeout(() => socket.destroy(), lingerMs).unref();
  }

  /** Answers what is whole now, in order, each when the answer before it has gone out. Never rejects. */
  async #take(socket: TLSSocket, asker: string, reader: MessageReader, chunk: Buffer): Promise<void> {
    if (socket.writableEnded) return; // refused: what still comes is thrown away
    let messages: Buffer[] = [];
    try {
      messages = reader.push(chunk);
    } catch (error) {
      this.#refuse(socket, 0, error);
    }
    for (const message of messages) {
      await this.#answer(socket, asker, message);
      if (socket.writableNeedDrain) await drained(socket);
      if (socket.writableEnded || socket.destroyed) return;
    }
  }

  async #answer(socket: TLSSocket, asker: string, message: Buffer): Promise<void> {
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
      const handler = this.#handlers[type] as ((body: unknown, asker: string) => unknown) | undefined;
      if (!handler) throw yadoError('notInThisRole', { computer: this.#name(), request: type });
      const checked = checkRequest(type, request.body);
      if ('osId' in checked && checked.osId !== asker)
        throw yadoError('notItsOwner', { computer: this.#name(), os: asker, claimed: checked.osId });
      const answer = await handler(checked, asker);
      if (!socket.destroyed) socket.write(encodeAnswer(id, answer));
    } catch (error) {
      this.#refuse(socket, id, error);
    }
  }

  #refuse(socket: TLSSocket, id: number, error: unknown): void {
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

const origin = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/** Until the peer has taken what was written, or is gone: the idle time-out ends one that never reads. */
function drained(socket: TLSSocket): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
