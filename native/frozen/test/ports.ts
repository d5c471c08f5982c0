// Ports on the loopback that nobody uses. Never one twice: the kernel may give a port that was looked up a moment ago, and is not in
// use yet, to the next test that looks for one.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const given = new Set<number>();

async function onlyOnce(look: () => Promise<number>): Promise<number> {
  for (;;) {
    const port = await look();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

export const freePort = (): Promise<number> =>
  onlyOnce(async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    if (address === null || typeof address === 'string') throw new Error('no TCP address');
    return address.port;
  });

export const freeUdpPort = (): Promise<number> =>
  onlyOnce(async () => {
    const socket = createSocket('udp4').bind(0);
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    return port;
  });
