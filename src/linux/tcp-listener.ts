// Listening TCP sockets as raw descriptors, for connections that are handed to others: the frozen helper accepts by itself,
// a server of disks is given each connection. Node's own sockets never see them.
import { C, SIZE } from '#linux/abi.ts';
import {
  accept,
  bindSocket,
  getpeername,
  getsockname,
  listen,
  setsockopt,
  socket,
  waitFd,
} from '#linux/ffi.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { SystemError } from '#linux/system-error.ts';
import { encodeSocketAddress } from '#linux/tcp.ts';

const longest = 2 ** 31 - 1;
/** Connections that nobody has accepted yet: a crowd comes at once. */
const waiting = 128;

/** Port 0: some free one. @throws SystemError such as EADDRINUSE */
export function listenTcp(ip: string, port: number): OwnedFd {
  const guard = new OwnedFd(socket(C.AF_INET, C.SOCK_STREAM, C.IPPROTO_TCP));
  try {
    setsockopt(guard.fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    bindSocket(guard.fd, encodeSocketAddress(ip, port), `${ip}:${port}`);
    listen(guard.fd, waiting);
    return guard;
  } catch (error) {
    guard[Symbol.dispose]();
    throw error;
  }
}

/** The port an IPv4 socket is bound to. */
export const portOf = (fd: number): number => getsockname(fd, SIZE['struct sockaddr_in']).readUInt16BE(2);

/** The port of the other end. @throws SystemError ENOTCONN when it is gone */
export const peerPortOf = (fd: number): number => getpeername(fd, SIZE['struct sockaddr_in']).readUInt16BE(2);

/**
 * The next connection of a listener that is non-blocking; itself non-blocking too.
 * @throws the signal's reason
 */
export async function acceptTcp(listener: OwnedFd, signal: AbortSignal): Promise<OwnedFd> {
  for (;;) {
    await waitFd(listener.fd, 'readable', { timeoutMs: longest, signal, what: 'the next connection' });
    try {
      return new OwnedFd(accept(listener.fd, C.SOCK_NONBLOCK));
    } catch (error) {
      // Whoever connected may be gone again (accept(2): all of these are to be tried again).
      if (!(error instanceof SystemError) || !passing.has(error.code)) throw error;
    }
  }
}
const passing: ReadonlySet<string> = new Set([
  ...['EAGAIN', 'EINTR', 'ECONNABORTED', 'ETIMEDOUT', 'EPROTO', 'ENETDOWN', 'EHOSTUNREACH', 'ENETUNREACH'],
]);
