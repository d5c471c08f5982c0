// Answers claims where no frozen helper does. While the OS runs here whoever claims it is told REFUSED: without that a copy
// that was rolled back would ask for ever. A ghost whose helper has died repeats the GRANT that was given.
import { createSocket, type Socket } from 'node:dgram';
import { claim, wireVersion } from '#wire/frames.ts';
import { log } from './log.ts';

/** The answer to a datagram, undefined when there is none. */
export type Answer = (datagram: Buffer) => Buffer | undefined;

export class ClaimDesk {
  readonly #answer: Answer;
  readonly #words: (from: string) => string;
  #socket: Socket | undefined;

  /** @param words for the journal: what was done with a claim, and why */
  constructor(
    answer: Answer = refuse,
    words = (from: string): string => `refused a late claim from ${from}: the OS runs here`,
  ) {
    this.#answer = answer;
    this.#words = words;
  }

  /** `address` is the machine address: a copy believes no refusal from another, and the OS has addresses of its own. */
  async open(address: string, port: number): Promise<void> {
    const socket = createSocket('udp4');
    socket.on('message', (datagram, from) => {
      const answer = this.#answer(datagram);
      if (!answer || from.port === 0) return; // port 0 cannot be answered
      log(this.#words(from.address));
      socket.send(answer, from.port, from.address, error => {
        if (error) log(`a claim could not be answered: ${error.message}`);
      });
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('error', error => {
      socket.close();
      reject(error);
    });
    socket.bind(port, address, resolve);
    await promise;
    socket.removeAllListeners('error');
    socket.on('error', error => log(`claim desk: ${error.message}`));
    this.#socket = socket;
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) await new Promise<void>(resolve => socket.close(() => resolve()));
  }
}

/** The grant of the one claim that was granted: its token and its epoch. `now` is the wall clock in nanoseconds. */
export const grantOf =
  (token: Uint8Array, epoch: number, now: () => bigint): Answer =>
  datagram => {
    const { offsets, kinds } = claim;
    const answer = refuse(datagram);
    if (!answer?.subarray(offsets.token, offsets.token + token.length).equals(token)) return undefined;
    if (answer.readBigUInt64LE(offsets.epoch) !== BigInt(epoch)) return undefined;
    answer.writeUInt16LE(kinds.grant, offsets.kind);
    answer.writeBigUInt64LE(now(), offsets.realtimeNs);
    return answer;
  };

/** The refusal of a well-formed claim: the same token, epoch and sequence; undefined for anything else. */
export function refuse(datagram: Buffer): Buffer | undefined {
  const { offsets, kinds, magic, bytes } = claim;
  if (datagram.length !== bytes || datagram.readUInt32LE(offsets.magic) !== magic) return undefined;
  if (
    datagram.readUInt16LE(offsets.version) !== wireVersion ||
    datagram.readUInt16LE(offsets.kind) !== kinds.claim
  )
    return undefined;
  const answer = Buffer.from(datagram);
  answer.writeUInt16LE(kinds.refuse, offsets.kind);
  return answer;
}
