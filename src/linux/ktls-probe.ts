// Whether the kernel encrypts TCP connections, with which ciphers, and how fast: tried on a connection to itself.
import { type Cipher, type CipherRates, cipherNames } from '#core/ciphers.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { recv, send } from '#linux/ffi.ts';
import { encryptSocket } from '#linux/ktls.ts';
import type { OwnedFd } from '#linux/owned-fd.ts';
import { SystemError } from '#linux/system-error.ts';
import { connectTcp, setBlocking } from '#linux/tcp.ts';
import { acceptTcp, listenTcp, peerPortOf, portOf } from '#linux/tcp-listener.ts';
import { secretBytes } from '#wire/frames.ts';

const ip = '127.0.0.1';
const probeBytes = 512 * 1024;
const pieceBytes = 64 * 1024;
const patienceMs = 5000;

/** Bytes a second through one CPU that encrypts and deciphers; a cipher that the kernel does not have is not there. */
export async function measureCiphers(now: () => number): Promise<CipherRates> {
  const rates: Partial<Record<Cipher, number>> = {};
  for (const cipher of cipherNames) {
    const rate = await measure(cipher, now).catch((error: unknown) => {
      if (error instanceof SystemError) return undefined; // ENOENT: no such cipher, or no TLS at all
      throw error;
    });
    if (rate !== undefined) rates[cipher] = rate;
  }
  return rates;
}

async function measure(cipher: Cipher, now: () => number): Promise<number> {
  const signal = AbortSignal.timeout(patienceMs);
  using listener = listenTcp(ip, 0);
  setBlocking(listener.fd, false);
  using client = await connectTcp({ ip, port: portOf(listener.fd) }, patienceMs, signal);
  using server = await accepted(listener, portOf(client.fd), signal);
  const secret = new Uint8Array(secretBytes); // nothing secret goes through
  encryptSocket(client.fd, tlsKeys(secret, 'disk', cipher, 'client'));
  encryptSocket(server.fd, tlsKeys(secret, 'disk', cipher, 'server'));
  const piece = Buffer.alloc(pieceBytes);
  const from = now();
  for (let sent = 0, received = 0; received < probeBytes; ) {
    if (sent < probeBytes) sent += transferred(() => send(client.fd, piece));
    received += transferred(() => recv(server.fd, piece));
    signal.throwIfAborted();
    if (now() - from > patienceMs) throw new Error('a connection to this computer itself stands still');
  }
  return Math.round(probeBytes / Math.max(1e-6, (now() - from) / 1000));
}

/** The connection from that port: any program here can connect to the listener too. */
async function accepted(listener: OwnedFd, port: number, signal: AbortSignal): Promise<OwnedFd> {
  for (;;) {
    const socket = await acceptTcp(listener, signal);
    try {
      if (peerPortOf(socket.fd) === port) return socket;
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'ENOTCONN') throw error; // it is gone already
    }
    socket[Symbol.dispose]();
  }
}

/** Bytes that went through; 0 when the other end must do something first. */
function transferred(call: () => number): number {
  try {
    return call();
  } catch (error) {
    if (error instanceof SystemError && error.code === 'EAGAIN') return 0;
    throw error;
  }
}
