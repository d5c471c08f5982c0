// Requests to the agent of another computer over one connection, made when it is first needed and anew after it broke.
// Answers come in the order of the questions. Errors name that computer.
import { connect, type Socket } from 'node:net';
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

export interface Peer {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** Source address: the machine address, since the OS's own addresses move. */
  readonly localIp?: string;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

interface Question {
  readonly id: number;
  readonly answered: (message: Buffer) => void;
  readonly failed: (error: unknown) => void;
}

export class ControlSession implements Disposable {
  readonly peer: Peer;
  #socket: Socket | undefined;
  #questions: Question[] = [];
  #lastId = 0;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  /**
   * A question that ends by its time or its signal ends the connection with it, and all other questions on it: their
   * answers could no longer be told apart from late ones of a peer that hangs.
   * @throws YadoError `unreachable`, `versionMismatch`, `badFrame`, or what the other agent answered
   */
  ask<T extends ControlType>(
    type: T,
    request: ControlRequest<T>,
    { timeoutMs, signal }: AskOptions,
  ): Promise<ControlAnswer<T>> {
    const { promise, resolve, reject } = Promise.withResolvers<ControlAnswer<T>>();
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = ++this.#lastId;
    this.#questions.push({
      id,
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
    this.#connected().write(encodeRequest(id, type, request));
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
  }

  [Symbol.dispose](): void {
    this.#break(this.#unreachable());
  }

  #connected(): Socket {
    if (this.#socket) return this.#socket;
    const { ip, port, localIp } = this.peer;
    const socket = connect({ host: ip, port, ...(localIp !== undefined && { localAddress: localIp }) });
    socket.setNoDelay(true);
    const reader = new MessageReader();
    const broken = (error: unknown): void => {
      if (this.#socket === socket) this.#break(error);
    };
    socket.on('error', error => broken(this.#unreachable(error)));
    socket.on('close', () => broken(this.#unreachable()));
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of reader.push(chunk)) this.#answered(message);
      } catch (error) {
        broken(notUnderstood(this.peer, error));
      }
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
    socket?.destroy();
    for (const question of waiting) question.failed(error);
  }

  #unreachable(cause?: unknown): YadoError {
    const { name, ip, port } = this.peer;
    return yadoError('unreachable', { computer: name, address: `${ip}:${port}` }, cause);
  }
}

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
