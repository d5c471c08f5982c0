// A listening TCP socket as a raw descriptor, for the frozen helper: it accepts, Node never does.
import { C } from '#linux/abi.ts';
import { bindSocket, listen, setsockopt, socket } from '#linux/ffi.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { encodeSocketAddress } from '#linux/tcp.ts';

export function listenTcp(ip: string, port: number): OwnedFd {
  const guard = new OwnedFd(socket(C.AF_INET, C.SOCK_STREAM, C.IPPROTO_TCP));
  try {
    setsockopt(guard.fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    bindSocket(guard.fd, encodeSocketAddress(ip, port), `${ip}:${port}`);
    listen(guard.fd, 8);
    return guard;
  } catch (error) {
    guard[Symbol.dispose]();
    throw error;
  }
}
