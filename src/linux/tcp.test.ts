// TCP connections as raw descriptors, on loopback.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { C } from '#linux/abi.ts';
import { streamOf } from '#linux/byte-stream.ts';
import { fcntl } from '#linux/ffi.ts';
import { connectTcp, setBlocking } from '#linux/tcp.ts';

const SENT_BYTES = 8_000_000; // more than the socket buffers hold

async function listen(t: TestContext, host: string, onPeer?: (peer: Socket) => void): Promise<number> {
  const server = createServer(onPeer);
  t.after(() => server.close());
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

test('bytes go both ways, from the given local address', async t => {
  let from: string | undefined;
  const port = await listen(t, '127.0.0.1', peer => {
    from = peer.remoteAddress;
    const parts: Buffer[] = [];
    let bytes = 0;
    peer.on('data', part => {
      parts.push(Buffer.from(part));
      bytes += part.length;
      if (bytes === SENT_BYTES) peer.write(Buffer.concat(parts));
    });
  });
  using client = await connectTcp({ ip: '127.0.0.1', port, localIp: '127.0.0.9' }, 2000);
  const stream = streamOf(client.fd, 20_000, 'echo');
  const sent = Buffer.alloc(SENT_BYTES, 'yadokari');
  await stream.write(sent);
  const received = await stream.read(SENT_BYTES);
  assert.ok(received.equals(sent));
  assert.equal(from, '127.0.0.9');

  const impatient = streamOf(client.fd, 30, 'a word from B');
  const late = assert.rejects(impatient.read(1), { code: 'ETIMEDOUT', call: 'a word from B' });
  await assert.rejects(impatient.read(1), /already waits/);
  await late;
  setBlocking(client.fd, true);
  assert.equal(fcntl(client.fd, C.F_GETFL) & C.O_NONBLOCK, 0);
});

test('IPv6, and the end of the stream', async t => {
  const port = await listen(t, '::1', peer => peer.end('x'));
  using client = await connectTcp({ ip: '::1', port }, 2000);
  const stream = streamOf(client.fd, 2000, 'greeting');
  assert.equal((await stream.read(1)).toString(), 'x');
  await assert.rejects(stream.read(1), /closed the connection/);
});

test('a connection that cannot be made says why', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  server.close();
  await once(server, 'close');
  await assert.rejects(connectTcp({ ip: '127.0.0.1', port: address.port }, 2000), { code: 'ECONNREFUSED' });
  await assert.rejects(connectTcp({ ip: 'no address', port: 1 }, 2000), { name: 'FormatError' });
});
