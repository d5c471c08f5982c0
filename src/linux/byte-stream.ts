// A byte stream over a raw descriptor, for short handshakes on sockets the kernel is to own later.
// The descriptor must be non-blocking. One read or write at a time. Reads exactly what is asked: no byte beyond is taken from the socket.
import { recv, send, waitFd } from '#linux/ffi.ts';
import { FormatError, SystemError } from '#linux/system-error.ts';

/** What nbd-handshake.ts needs; tests give one made of arrays. */
export interface ByteStream {
  /** Exactly `length` bytes. @throws FormatError when the peer closes before */
  read(length: number): Promise<Buffer>;
  /** All of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * @param fd non-blocking stream socket; stays the caller's
 * @param deadlineMs for everything done through this stream together, milliseconds from now
 * @param what named in time-out errors, e.g. 'NBD handshake with 10.0.0.1'
 */
export function streamOf(fd: number, deadlineMs: number, what: string, signal?: AbortSignal): ByteStream {
  const end = performance.now() + deadlineMs;
  const wait = (wanted: 'readable' | 'writable') =>
    waitFd(fd, wanted, { timeoutMs: Math.max(0, end - performance.now()), signal, what });

  async function transfer(buffer: Uint8Array, wanted: 'readable' | 'writable'): Promise<number> {
    for (;;) {
      try {
        return wanted === 'readable' ? recv(fd, buffer) : send(fd, buffer);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        if (error.code === 'EAGAIN') await wait(wanted);
        else if (error.code !== 'EINTR') throw error;
      }
    }
  }

  return {
    async read(length) {
      const bytes = Buffer.allocUnsafeSlow(length);
      for (let at = 0; at < length; ) {
        const count = await transfer(bytes.subarray(at), 'readable');
        if (count === 0) throw new FormatError(what, 'the other side closed the connection');
        at += count;
      }
      return bytes;
    },
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) at += await transfer(bytes.subarray(at), 'writable');
    },
  };
}
