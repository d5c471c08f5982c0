// A character device that is served from here (CUSE): the kernel asks, the handlers answer. No request is left without
// an answer: a program that waits in one can neither be frozen nor ended.
import { constants } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { C } from '#linux/abi.ts';
import { open, read, waitFd, write } from '#linux/ffi.ts';
import {
  cuseBufferBytes,
  decodeFuseRequest,
  decodeInterrupt,
  decodeIoctl,
  decodePoll,
  decodeWrite,
  encodeCuseInit,
  encodeError,
  encodeIoctlAgain,
  encodeIoctlDone,
  encodeOpened,
  encodePolled,
  encodeReply,
  encodeWake,
  encodeWritten,
  type FuseRequest,
  fuseOpcodes,
} from '#linux/fuse-messages.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { FormatError, SystemError } from '#linux/system-error.ts';

export interface CuseHandlers {
  /** A program opens the device: 0, or a negative errno. */
  open(): number;
  /** The last descriptor of what was opened is closed. */
  release(): void;
  /** Takes what there is room for; 0 when there is none: the writer waits until `roomAgain`. Negative: an errno. */
  write(data: Uint8Array): number;
  hasRoom(): boolean;
  /** What a program that reads gets; empty is the end. */
  read(): Uint8Array;
  /** What an ioctl without input gives to the program; undefined when the device does not know it. */
  ioctl(command: number): Uint8Array | undefined;
  /** One of the others has thrown this: the program got EIO, the device goes on. */
  failed(error: unknown): void;
}

const { EAGAIN, EINTR, EIO, ENOSYS, ENOTTY } = constants.errno;
const pollOut = 0x0104; // OUT | WRNORM
const waitMs = 3600_000;
/** A program that writes without end gets its answers between everything else the agent does. */
const requestsInARow = 16;

interface WaitingWrite {
  readonly unique: bigint;
  readonly data: Buffer;
}

export class CuseDevice {
  readonly #fd: OwnedFd;
  readonly #handlers: CuseHandlers;
  readonly #waiting: WaitingWrite[] = [];
  readonly #wakes = new Set<bigint>();
  readonly #end = new AbortController();
  #lastHandle = 0n;

  private constructor(fd: OwnedFd, handlers: CuseHandlers) {
    this.#fd = fd;
    this.#handlers = handlers;
  }

  /**
   * Makes /dev/`name` and serves it. @param ended called once when it can no longer be served: it is gone then, and who
   * waited in it has an error
   * @throws SystemError when the module cuse is not there (ENOENT, ENODEV)
   */
  static async serve(
    name: string,
    handlers: CuseHandlers,
    ended: (error: unknown) => void,
    openCuse = (): number => open('/dev/cuse', C.O_RDWR | C.O_NONBLOCK),
  ): Promise<CuseDevice> {
    using fd = new OwnedFd(openCuse());
    const buffer = Buffer.alloc(cuseBufferBytes);
    await waitFd(fd.fd, 'readable', { timeoutMs: 5000, what: 'CUSE' });
    const init = decodeFuseRequest(buffer.subarray(0, read(fd.fd, buffer)));
    if (init.opcode !== fuseOpcodes.cuseInit)
      throw new FormatError('CUSE', `opcode ${init.opcode} at the start`);
    write(fd.fd, encodeCuseInit(init.unique, name));
    const device = new CuseDevice(new OwnedFd(fd.take()), handlers);
    void device.#run(buffer).catch(error => {
      if (device.#end.signal.aborted) return;
      device[Symbol.dispose](); // open, but read by nobody, it would let programs wait for ever
      ended(error);
    });
    return device;
  }

  /** There is room again, or room without end: writers that wait are served in their order. */
  roomAgain(): void {
    if (this.#end.signal.aborted) return;
    while (this.#waiting.length > 0) {
      const next = this.#waiting[0]!;
      const count = this.#take(next.data);
      if (count === 0) return;
      this.#waiting.shift();
      this.#send(written(next.unique, count));
    }
    for (const wake of this.#wakes) this.#send(encodeWake(wake));
    this.#wakes.clear();
  }

  [Symbol.dispose](): void {
    this.#end.abort();
    this.#fd[Symbol.dispose]();
  }

  async #run(buffer: Buffer): Promise<void> {
    const { signal } = this.#end;
    for (let inARow = 0; !signal.aborted; inARow++) {
      const length = this.#read(buffer);
      if (length > 0) this.#answer(decodeFuseRequest(buffer.subarray(0, length)));
      if (length > 0 && inARow < requestsInARow) continue;
      inARow = 0;
      await (length > 0
        ? setImmediate(undefined)
        : waitFd(this.#fd.fd, 'readable', { timeoutMs: waitMs, what: 'CUSE', signal }).catch(unlessLate));
    }
  }

  /** 0 when nothing is there. */
  #read(buffer: Buffer): number {
    try {
      return read(this.#fd.fd, buffer);
    } catch (error) {
      // ENOENT: the program has gone before its request was read.
      if (error instanceof SystemError && ['EAGAIN', 'EINTR', 'ENOENT'].includes(error.code)) return 0;
      throw error;
    }
  }

  /** Whatever a request holds and a handler throws: it gets its answer. @throws SystemError when the device is gone */
  #answer(request: FuseRequest): void {
    let reply: Buffer | undefined;
    try {
      reply = this.#replyTo(request);
    } catch (error) {
      if (!(error instanceof FormatError)) this.#handlers.failed(error);
      reply = encodeError(request.unique, EIO);
    }
    if (reply) this.#send(reply);
  }

  #replyTo({ opcode, unique, body }: FuseRequest): Buffer | undefined {
    switch (opcode) {
      case fuseOpcodes.open: {
        const result = this.#handlers.open();
        return result < 0 ? encodeError(unique, -result) : encodeOpened(unique, ++this.#lastHandle);
      }
      case fuseOpcodes.write:
        return this.#write(unique, body);
      case fuseOpcodes.read:
        return encodeReply(unique, this.#handlers.read());
      case fuseOpcodes.ioctl:
        return this.#ioctl(unique, body);
      case fuseOpcodes.poll: {
        const { wake } = decodePoll(body);
        const room = this.#handlers.hasRoom();
        if (wake !== undefined && !room) this.#wakes.add(wake);
        return encodePolled(unique, room ? pollOut : 0);
      }
      case fuseOpcodes.interrupt:
        return this.#interrupt(decodeInterrupt(body));
      case fuseOpcodes.release:
        this.#handlers.release();
        return encodeReply(unique);
      case fuseOpcodes.flush:
        return encodeReply(unique);
      default:
        return encodeError(unique, ENOSYS);
    }
  }

  #write(unique: bigint, body: Buffer): Buffer | undefined {
    const { data, nonBlocking } = decodeWrite(body);
    const count = data.length === 0 || this.#waiting.length > 0 ? 0 : this.#take(data);
    if (count !== 0 || data.length === 0) return written(unique, count);
    if (nonBlocking) return encodeError(unique, EAGAIN);
    this.#waiting.push({ unique, data: Buffer.from(data) });
    return undefined;
  }

  #take(data: Buffer): number {
    try {
      return this.#handlers.write(data);
    } catch (error) {
      this.#handlers.failed(error);
      return -EIO;
    }
  }

  #interrupt(unique: bigint): Buffer | undefined {
    const at = this.#waiting.findIndex(each => each.unique === unique);
    if (at < 0) return undefined; // answered meanwhile
    this.#waiting.splice(at, 1);
    return encodeError(unique, EINTR);
  }

  #ioctl(unique: bigint, body: Buffer): Buffer {
    const { command, argument, outBytes } = decodeIoctl(body);
    const data = this.#handlers.ioctl(command);
    if (!data) return encodeError(unique, ENOTTY);
    if (outBytes < data.length) return encodeIoctlAgain(unique, argument, data.length);
    return encodeIoctlDone(unique, data);
  }

  #send(reply: Buffer): void {
    try {
      write(this.#fd.fd, reply);
    } catch (error) {
      // ENOENT: whom the answer was for has gone.
      if (!(error instanceof SystemError && error.code === 'ENOENT')) throw error;
    }
  }
}

const written = (unique: bigint, count: number): Buffer =>
  count < 0 ? encodeError(unique, -count) : encodeWritten(unique, count);

function unlessLate(error: unknown): void {
  if (!(error instanceof SystemError && error.code === 'ETIMEDOUT')) throw error;
}
