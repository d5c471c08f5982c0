// Requests to the agent of another computer over one protected connection, made when it is first needed and anew after it
// broke. Nothing is said before that computer has proved the key it was paired with. Answers come in the order of the
// questions. Errors name that computer.
import type { TLSSocket } from 'node:tls';
import { isErrorCode, YadoError, yadoError } from '#core/errors.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  type ControlType,
  checkAnswer,
  decodeAnswer,
  encodeRequest,
  MessageReader,
  protocolVersion,
} from '#wire/control.ts';
import { WireError } from '#wire/wire-error.ts';
import type { OsKeys } from './identity.ts';
import { peerKey, secureOptions } from './secure-socket.ts';

export interface Peer {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** Source address: the machine address, since the OS's own addresses move. */
  readonly localIp?: string;
  /** Who asks, and whom it expects there. */
  readonly keys: OsKeys;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

interface Question {
  readonly id: number;
  readonly bytes: Buffer;
  readonly answered: (message: Buffer) => void;
  readonly failed: (error: unknown) => void;
}

export class ControlSession implements Disposable {
  readonly peer: Peer;
  #socket: TLSSocket | undefined;
  /** Whether the peer has proved its key: until then nothing is written. */
  #isProved = false;
  #questions: Question[] = [];
  #lastId = 0;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  /**
   * A question that ends by its time or its signal ends the connection with it, and all other questions on it: their
   * answers could no longer be told apart from late ones of a peer that hangs.
   * @throws YadoError `unreachable`, `notPaired`, `wrongKey`, `notSecure`, `versionMismatch`, `badFrame`, or what the
   *   other agent answered
   */
  ask<T extends ControlType>(
    type: T,
    request: ControlRequest<T>,
    { timeoutMs, signal }: AskOptions,
  ): Promise<ControlAnswer<T>> {
    const { promise, resolve, reject } = Promise.withResolvers<ControlAnswer<T>>();
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { name, keys } = this.peer;
    if (keys.pinOf(name) === undefined) return Promise.reject(yadoError('notPaired', { computer: name }));
    const id = ++this.#lastId;
    const bytes = encodeRequest(id, type, request);
    this.#questions.push({
      id,
      bytes,
      answered: message => {
        try {
          resolve(readAnswer(this.peer, type, message));
        } catch (error) {
          reject(error);
        }
      },
      failed: reject,
    });
    const timer = setTimeout(() => this.#break(this.#unreachable()), timeoutMs);
    const abort = (): void => this.#break(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const socket = this.#connected();
    if (this.#isProved) socket.write(bytes);
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
  }

  [Symbol.dispose](): void {
    this.#break(this.#unreachable());
  }

  #connected(): TLSSocket {
    if (this.#socket) return this.#socket;
    const { ip, port, localIp, keys } = this.peer;
    // Loaded only now: not every ghost asks another computer.
    const socket = process.getBuiltinModule('node:tls').connect({
      host: ip,
      port,
      ...(localIp !== undefined && { localAddress: localIp }),
      ...secureOptions(keys.identity),
    });
    socket.setNoDelay(true);
    const reader = new MessageReader();
    const broken = (error: unknown): void => {
      if (this.#socket === socket) this.#break(error);
    };
    socket.on('error', error => broken(this.#failed(error)));
    socket.on('close', () => broken(this.#unreachable()));
    socket.on('secureConnect', () => {
      if (peerKey(socket) !== keys.pinOf(this.peer.name)) {
        broken(yadoError('wrongKey', { computer: this.peer.name, address: `${ip}:${port}` }));
        return;
      }
      this.#isProved = true;
      for (const question of this.#questions) socket.write(question.bytes);
      socket.on('data', (chunk: Buffer) => {
        try {
          for (const message of reader.push(chunk)) this.#answered(message);
        } catch (error) {
          broken(notUnderstood(this.peer, error));
        }
      });
    });
    this.#socket = socket;
    return socket;
  }

  #answered(message: Buffer): void {
    const { id } = decodeAnswer(message);
    // Of a question that could not be read the number is not known: it is the first that waits.
    const at = id === 0 ? 0 : this.#questions.findIndex(each => each.id === id);
    if (at < 0) throw new WireError('badMessage', `answer ${id} to no question`);
    this.#questions.splice(at, 1)[0]?.answered(message);
  }

  #break(error: unknown): void {
    const waiting = this.#questions;
    const socket = this.#socket;
    this.#questions = [];
    this.#socket = undefined;
    this.#isProved = false;
    socket?.destroy();
    for (const question of waiting) question.failed(error);
  }

  /** An end of the connection, or a handshake that an agent of this version would not have spoiled. */
  #failed(error: NodeJS.ErrnoException): YadoError {
    const { name, ip, port } = this.peer;
    const isTls =
      error.code === 'EPROTO' || error.code?.startsWith('ERR_SSL_') || error.code?.startsWith('ERR_TLS_');
    if (!isTls) return this.#unreachable(error);
    return yadoError(
      'notSecure',
      { computer: name, address: `${ip}:${port}`, reason: reasonOf(error) },
      error,
    );
  }

  #unreachable(cause?: unknown): YadoError {
    const { name, ip, port } = this.peer;
    return yadoError('unreachable', { computer: name, address: `${ip}:${port}` }, cause);
  }
}

/** OpenSSL's own words, where it has some. */
const reasonOf = (error: Error & { reason?: string }): string => error.reason ?? error.message;

function notUnderstood(peer: Peer, error: unknown): unknown {
  return error instanceof WireError
    ? yadoError('badFrame', { computer: peer.name, reason: error.message }, error)
    : error;
}

function readAnswer<T extends ControlType>(peer: Peer, type: T, message: Buffer): ControlAnswer<T> {
  const answer = decodeAnswer(message);
  if (answer.version !== protocolVersion) {
    throw yadoError('versionMismatch', {
      computer: peer.name,
      theirs: answer.version,
      ours: protocolVersion,
    });
  }
  if (answer.error) {
    const { code, message: text, hint } = answer.error;
    throw isErrorCode(code)
      ? new YadoError(code, text, hint)
      : yadoError('targetRefused', { computer: peer.name, reason: text });
  }
  try {
    return checkAnswer(type, answer.body);
  } catch (error) {
    throw notUnderstood(peer, error);
  }
}
