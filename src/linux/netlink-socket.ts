// A netlink socket: sends one prepared request and gathers its answer.
// The kernel answers these requests inside send(2), so the calls are synchronous, with a time limit of 5 s.
// Connected to the kernel: no other process can send to it.
import { C, SIZE } from '#linux/abi.ts';
import { bindSocket, connect, recv, send, setsockopt, socket } from '#linux/ffi.ts';
import { type NetlinkMessage, parseAcknowledgement, parseMessages, withSequence } from '#linux/netlink.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { FormatError, SystemError } from '#linux/system-error.ts';

const RECEIVE_BYTES = 64 * 1024; // the kernel's dumps use at most 32 KiB a datagram
const DUMP_ATTEMPTS = 5;

export class NetlinkSocket implements Disposable {
  readonly #socket: OwnedFd;
  readonly #buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  #sequence = 0;

  /** @param protocol NETLINK_ROUTE or NETLINK_GENERIC */
  constructor(protocol: number) {
    using guard = new OwnedFd(socket(C.AF_NETLINK, C.SOCK_RAW, protocol));
    const timeout = Buffer.alloc(SIZE['struct timeval']);
    timeout.writeBigInt64LE(5n, 0);
    setsockopt(guard.fd, C.SOL_SOCKET, C.SO_RCVTIMEO, timeout);
    setsockopt(guard.fd, C.SOL_NETLINK, C.NETLINK_EXT_ACK, 1);
    setsockopt(guard.fd, C.SOL_NETLINK, C.NETLINK_CAP_ACK, 1);
    const kernel = Buffer.alloc(SIZE['struct sockaddr_nl']); // nl_pid 0: the kernel; for bind: choose one for us
    kernel.writeUInt16LE(C.AF_NETLINK, 0);
    bindSocket(guard.fd, kernel, 'netlink');
    connect(guard.fd, kernel, 'netlink');
    this.#socket = new OwnedFd(guard.take());
  }

  /**
   * Sends `message` (from encodeMessage) and returns the answers that precede its acknowledgement.
   * @param what named in errors, e.g. 'add address 10.0.0.2/24 to os0'
   * @throws SystemError with the kernel's errno and explanation; EAGAIN when no answer came in 5 s
   */
  request(message: Uint8Array, what: string): NetlinkMessage[] {
    const sequence = this.#nextSequence();
    send(this.#socket.fd, withSequence(message, sequence));
    const answers: NetlinkMessage[] = [];
    for (;;) {
      for (const answer of this.#receive(what)) {
        if (answer.sequence !== sequence) continue; // left over from a request that timed out
        if (answer.type === C.NLMSG_DONE) {
          const result = answer.payload.length >= 4 ? answer.payload.readInt32LE(0) : 0;
          if (result < 0) throw new SystemError(what, -result);
          return answers;
        }
        if (answer.type === C.NLMSG_ERROR) {
          const { errno, detail } = parseAcknowledgement(answer);
          if (errno !== 0) throw new SystemError(what, errno, undefined, detail);
          return answers;
        }
        if (answer.type !== C.NLMSG_NOOP) answers.push(answer);
      }
    }
  }

  /** Sends a dump request; repeats it while the kernel says that the list changed meanwhile. */
  dump(message: Uint8Array, what: string): NetlinkMessage[] {
    let answers = this.request(message, what);
    for (let attempt = 1; attempt < DUMP_ATTEMPTS && answers.some(isInterrupted); attempt++) {
      answers = this.request(message, what);
    }
    return answers;
  }

  #receive(what: string): NetlinkMessage[] {
    const length = recv(this.#socket.fd, this.#buffer, C.MSG_TRUNC);
    if (length > this.#buffer.length) throw new FormatError('netlink', `${what}: answer of ${length} bytes`);
    return parseMessages(Buffer.from(this.#buffer.subarray(0, length)));
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence % 0xffff_fffe) + 1; // never 0: 0 means "not yet set"
    return this.#sequence;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

function isInterrupted(message: NetlinkMessage): boolean {
  return (message.flags & C.NLM_F_DUMP_INTR) !== 0;
}
