// TCP connections as raw descriptors, for sockets that are handed to the kernel (NBD, kTLS) or the frozen helper.
// The event loop is never blocked. The returned socket is non-blocking, with TCP_NODELAY and keep-alive.
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import { bindSocket, connect, fcntl, getsockoptInt, setsockopt, socket, waitFd } from '#linux/ffi.ts';
import { parseIp } from '#linux/ip-address.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { SystemError } from '#linux/system-error.ts';

/** `localIp` is the source address (the machine address, so that moved OS addresses are not used). */
export interface TcpTarget {
  readonly ip: string;
  readonly port: number;
  readonly localIp?: string | undefined;
  /** Interface index for link-local IPv6 addresses. */
  readonly scopeId?: number | undefined;
}

/** @throws SystemError with the connection's errno, ETIMEDOUT after `timeoutMs`; the signal's reason when aborted */
export async function connectTcp(
  target: TcpTarget,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<OwnedFd> {
  const address = encodeSocketAddress(target.ip, target.port, target.scopeId);
  const name = `connect to ${target.ip} port ${target.port}`;
  using guard = new OwnedFd(socket(address.readUInt16LE(0), C.SOCK_STREAM | C.SOCK_NONBLOCK, C.IPPROTO_TCP));
  if (target.localIp !== undefined) {
    bindSocket(guard.fd, encodeSocketAddress(target.localIp, 0, target.scopeId), target.localIp);
  }
  setsockopt(guard.fd, C.IPPROTO_TCP, C.TCP_NODELAY, 1);
  setsockopt(guard.fd, C.SOL_SOCKET, C.SO_KEEPALIVE, 1);
  try {
    connect(guard.fd, address, `${target.ip}:${target.port}`);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EINPROGRESS') throw error;
    await waitFd(guard.fd, 'writable', { timeoutMs, signal, what: name });
    const errno = getsockoptInt(guard.fd, C.SOL_SOCKET, C.SO_ERROR);
    if (errno !== 0) throw new SystemError(name, errno);
  }
  return new OwnedFd(guard.take());
}

/** Switches O_NONBLOCK off or on; the frozen helper wants blocking sockets. */
export function setBlocking(fd: number, blocking: boolean): void {
  const flags = fcntl(fd, C.F_GETFL);
  fcntl(fd, C.F_SETFL, blocking ? flags & ~C.O_NONBLOCK : flags | C.O_NONBLOCK);
}

/** struct sockaddr_in or sockaddr_in6. @throws FormatError for a bad address */
export function encodeSocketAddress(ip: string, port: number, scopeId = 0): Buffer {
  const bytes = parseIp(ip);
  if (bytes.length === 4) {
    const address = Buffer.alloc(SIZE['struct sockaddr_in']);
    address.writeUInt16LE(C.AF_INET, 0);
    address.writeUInt16BE(port, OFFSET['struct sockaddr_in'].sin_port);
    address.set(bytes, OFFSET['struct sockaddr_in'].sin_addr);
    return address;
  }
  const address = Buffer.alloc(SIZE['struct sockaddr_in6']);
  address.writeUInt16LE(C.AF_INET6, 0);
  address.writeUInt16BE(port, OFFSET['struct sockaddr_in6'].sin6_port);
  address.set(bytes, OFFSET['struct sockaddr_in6'].sin6_addr);
  address.writeUInt32LE(scopeId, OFFSET['struct sockaddr_in6'].sin6_scope_id);
  return address;
}
