// One request to the agent of another computer, over a connection of its own. Errors name that computer.
import { connect } from 'node:net';
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

/** @throws YadoError `unreachable`, `versionMismatch`, `badFrame`, or what the other agent answered */
export function ask<T extends ControlType>(
  peer: Peer,
  type: T,
  request: ControlRequest<T>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<ControlAnswer<T>> {
  const { promise, resolve, reject } = Promise.withResolvers<ControlAnswer<T>>();
  const reader = new MessageReader();
  const unreachable = (cause?: unknown) =>
    yadoError('unreachable', { computer: peer.name, address: `${peer.ip}:${peer.port}` }, cause);
  const socket = connect({
    host: peer.ip,
    port: peer.port,
    ...(peer.localIp !== undefined && { localAddress: peer.localIp }),
  });
  const timer = setTimeout(() => reject(unreachable()), timeoutMs);
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  socket.on('connect', () => socket.write(encodeRequest(1, type, request)));
  socket.on('error', error => reject(unreachable(error)));
  socket.on('close', () => reject(unreachable()));
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const message of reader.push(chunk)) resolve(read(peer, type, message));
    } catch (error) {
      reject(
        error instanceof WireError
          ? yadoError('badFrame', { computer: peer.name, reason: error.message }, error)
          : error,
      );
    }
  });
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    socket.destroy();
  });
}

function read<T extends ControlType>(peer: Peer, type: T, message: Buffer): ControlAnswer<T> {
  const answer = decodeAnswer(message);
  if (answer.version !== protocolVersion) {
    throw yadoError('versionMismatch', {
      computer: peer.name,
      theirs: answer.version,
      ours: protocolVersion,
    });
  }
  if (answer.error) {
    const { code, message, hint } = answer.error;
    throw isErrorCode(code)
      ? new YadoError(code, message, hint)
      : yadoError('targetRefused', { computer: peer.name, reason: message });
  }
  return checkAnswer(type, answer.body);
}
