// TCP connections as raw descriptors, on loopback.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { test } from 'node:test';
import { streamOf } from '#linux/byte-stream.ts';
import { connectTcp, setBlocking } from '#linux/tcp.ts';

async function listen(server: Server, host: string): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

test('bytes go both ways, from the given local address', async () => {
  let from: string | undefined;
  const server = createServer(peer => {
    from = peer.remoteAddress;
    peer.pipe(peer);
  });
  const port = await listen(server, '127.0.0.1');
  {
    using client = await connectTcp({ ip: '127.0.0.1', port, localIp: '127.0.0.9' }, 2000);
    const stream = streamOf(client.fd, 5000, 'echo');
    const sent = Buffer.alloc(3_000_000, 'yadokari'); // more than the socket buffers hold
    const [received] = await Promise.all([stream.read(sent.length), stream.write(sent)]);
    assert.ok(received.equals(sent));
    assert.equal(from, '127.0.0.9');
    await assert.rejects(streamOf(client.fd, 30, 'a word from B').read(1), {
      code: 'ETIMEDOUT',
      call: 'a word from B',
    });
    setBlocking(client.fd, true);
    setBlocking(client.fd, false);
  }
  server.close();
  await once(server, 'close');
});

test('IPv6', async () => {
  const server = createServer(peer => peer.end('x'));
  const port = await listen(server, '::1');
  using client = await connectTcp({ ip: '::1', port }, 2000);
  const stream = streamOf(client.fd, 2000, 'greeting');
  assert.equal((await stream.read(1)).toString(), 'x');
  await assert.rejects(stream.read(1), /closed the connection/);
  server.close();
});

test('a refused connection says so; an aborted one gives the reason', async () => {
  const server = createServer();
  const port = await listen(server, '127.0.0.1');
  server.close();
  await once(server, 'close');
  await assert.rejects(connectTcp({ ip: '127.0.0.1', port }, 2000), { code: 'ECONNREFUSED' });
  await assert.rejects(connectTcp({ ip: 'no address', port }, 2000), { name: 'FormatError' });
});
