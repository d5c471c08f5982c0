// A disk that is served on the loopback, and those who connect to it. Used by tests only; what it keeps goes with the test.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { streamOf } from '#linux/byte-stream.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { encryptSocket } from '#linux/ktls.ts';
import { connectTcp, setBlocking } from '#linux/tcp.ts';
import { listenTcp, portOf } from '#linux/tcp-listener.ts';
import { DiskConnections } from './connections.ts';
import { diskHello } from './driver.ts';

export const host = '127.0.0.1';
export const folder = mkdtempSync(join(tmpdir(), 'yado-disk-'));
after(() => rmSync(folder, { recursive: true, force: true }));
/** Whether the kernel of this machine encrypts. */
export const hasTls = readFileSync('/proc/sys/net/ipv4/tcp_available_ulp', 'utf8').includes('tls');
/** Says who was let in, and that it ended, as the server would speak first. */
const server = join(folder, 'server');
writeFileSync(server, '#!/bin/sh\necho served\nexec sleep 20\n', { mode: 0o755 });

/** A kernel that cannot: who connects is told apart by what it says only. */
const unencrypted = hasTls ? {} : { encrypt: () => {} };

export function openDisk(more: { encrypt?: () => void } = unencrypted) {
  const listener = listenTcp(host, 0);
  const port = portOf(listener.fd);
  setBlocking(listener.fd, false);
  const said: string[] = [];
  const disk = {
    ...{ exportName: 'crab-disk0-7', cipher: 'aes128gcm' as const, path: () => join(folder, 'disk') },
    ...{
      say: (text: string) => said.push(text),
      nbdkit: { shell: ['sh'], program: server, modules: '', runFolder: folder },
    },
    ...more,
  };
  const connections = new DiskConnections(disk, listener);
  return { connections, port, said, [Symbol.asyncDispose]: () => connections.stop() };
}

/** In the clear: all that comes back until it is hung up on. */
export function shouted(port: number, bytes: Uint8Array, hangsUp = false): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, host);
    let got = '';
    socket.on('error', () => {});
    socket.on('data', chunk => {
      got += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(got));
    if (hangsUp) socket.end(bytes);
    else socket.write(bytes);
  });
}

/** What an invited client hears first. */
export async function hello(port: number, secret: Uint8Array, words: Uint8Array = diskHello) {
  const socket = await connectTcp({ ip: host, port }, 2000);
  if (hasTls) encryptSocket(socket.fd, tlsKeys(secret, 'disk', 'aes128gcm', 'client'));
  const stream = streamOf(socket.fd, 5000, 'a server', undefined);
  await stream.write(words);
  return { socket, stream };
}
