// Answers late claims while the OS runs here: whoever claims it is told REFUSED. The frozen helper answers while it
// works; this desk has the port in between. Without it a copy that was rolled back would ask for ever.
import { createSocket, type Socket } from 'node:dgram';
import { claim, wireVersion } from '#wire/frames.ts';
import { log } from './log.ts';

export class ClaimDesk {
  #socket: Socket | undefined;

  /** `address` is the machine address: a copy believes no refusal from another, and the OS has addresses of its own. */
  async open(address: string, port: number): Promise<void> {
    const socket = createSocket('udp4');
    socket.on('message', (datagram, from) => {
      const refusal = refuse(datagram);
      if (!refusal) return;
      log(`refused a late claim from ${from.address}: the OS runs here`);
      socket.send(refusal, from.port, from.address);
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('error', reject);
    socket.bind(port, address, resolve);
    await promise;
    socket.on('error', error => log(`claim desk: ${error.message}`));
    this.#socket = socket;
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) await new Promise<void>(resolve => socket.close(() => resolve()));
  }
}

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
