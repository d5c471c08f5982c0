// Answers claims where no frozen helper does. While the OS runs here every copy that claims it is told REFUSED: without that
// one that was rolled back would ask for ever. A ghost whose helper has died repeats the GRANT that was given. Who cannot
// show by the MAC that it is a copy of a move that is known is not answered at all, and could not believe the answer.
import { createSocket, type Socket } from 'node:dgram';
import { claim, wireVersion } from '#wire/frames.ts';
import { isSignedClaim, signClaim } from './claim-mac.ts';
import { log } from './log.ts';

/** The answer to a datagram, undefined when there is none. */
export type Answer = (datagram: Buffer) => Buffer | undefined;
/** What the claims of the move in that epoch are signed with; undefined when no such move is known. */
export type KeyOf = (epoch: bigint) => Uint8Array | undefined;

/** What anybody on the network can bring about, with forged claims or by repeating one, is said this often. */
const saidEveryMs = 60_000;

export class ClaimDesk {
  readonly #answer: Answer;
  readonly #words: (from: string) => string;
  #socket: Socket | undefined;
  readonly #saidAt = new Map<'stranger' | 'answered', number>();

  /** @param words for the journal: what was done with a claim, and why */
  constructor(
    answer: Answer,
    words = (from: string): string => `refused a late claim from ${from}: the OS runs here`,
  ) {
    this.#answer = answer;
    this.#words = words;
  }

  /** `address` is the machine address: a copy believes no refusal from another, and the OS has addresses of its own. */
  async open(address: string, port: number): Promise<void> {
    const socket = createSocket('udp4');
    socket.on('message', (datagram, from) => {
      if (!isClaim(datagram) || from.port === 0) return; // port 0 cannot be answered
      const answer = this.#answer(datagram);
      if (!answer) {
        const words = `a claim from ${from.address} is not signed by a copy of a move begun here: it is not answered`;
        this.#say('stranger', words);
        return;
      }
      this.#say('answered', this.#words(from.address));
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

  #say(what: 'stranger' | 'answered', words: string): void {
    const now = performance.now();
    if (now < (this.#saidAt.get(what) ?? Number.NEGATIVE_INFINITY) + saidEveryMs) return;
    this.#saidAt.set(what, now);
    log(words);
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) await new Promise<void>(resolve => socket.close(() => resolve()));
  }
}

/** The grant of the one claim that was granted. `now` is the wall clock in nanoseconds. */
export const grantOf =
  (key: Uint8Array, epoch: number, now: () => bigint): Answer =>
  datagram =>
    answerTo(datagram, each => (each === BigInt(epoch) ? key : undefined), 'grant', now());

/** The refusal of a claim of a move that is known. */
export const refusalOf =
  (keyOf: KeyOf): Answer =>
  datagram =>
    answerTo(datagram, keyOf, 'refuse');

const { offsets, kinds } = claim;

function isClaim(datagram: Buffer): boolean {
  return (
    datagram.length === claim.bytes &&
    datagram.readUInt32LE(offsets.magic) === claim.magic &&
    datagram.readUInt16LE(offsets.version) === wireVersion &&
    datagram.readUInt16LE(offsets.kind) === kinds.claim
  );
}

/** Of the same epoch and sequence; undefined for what is no claim, or not signed with the key of its move. */
function answerTo(
  datagram: Buffer,
  keyOf: KeyOf,
  kind: keyof typeof kinds,
  now?: bigint,
): Buffer | undefined {
  if (!isClaim(datagram)) return undefined;
  const key = keyOf(datagram.readBigUInt64LE(offsets.epoch));
  if (!key || !isSignedClaim(key, datagram)) return undefined;
  const answer = Buffer.from(datagram);
  answer.writeUInt16LE(kinds[kind], offsets.kind);
  if (now !== undefined) answer.writeBigUInt64LE(now, offsets.realtimeNs);
  signClaim(key, answer);
  return answer;
}
