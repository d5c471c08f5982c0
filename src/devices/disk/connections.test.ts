// Who gets to a disk that is served: only the one who was invited, and only encrypted. That the kernel's NBD client works
// through it, and that nothing is lost when a connection is made anew, is tested in the lab.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { streamOf } from '#linux/byte-stream.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { encryptSocket } from '#linux/ktls.ts';
import { connectTcp, setBlocking } from '#linux/tcp.ts';
import { listenTcp, portOf } from '#linux/tcp-listener.ts';
import { DiskConnections } from './connections.ts';
import { diskHello } from './driver.ts';

const host = '127.0.0.1';
const folder = mkdtempSync(join(tmpdir(), 'yado-disk-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const hasTls = readFileSync('/proc/sys/net/ipv4/tcp_available_ulp', 'utf8').includes('tls');
/** Says who was let in, and that it ended, as the server would speak first. */
const server = join(folder, 'server');
writeFileSync(server, '#!/bin/sh\necho served\nexec sleep 20\n', { mode: 0o755 });

function open() {
  const listener = listenTcp(host, 0);
  const port = portOf(listener.fd);
  setBlocking(listener.fd, false);
  const said: string[] = [];
  const disk = {
    ...{ exportName: 'crab-disk0-7', cipher: 'aes128gcm' as const, path: () => join(folder, 'disk') },
    ...{
      say: (text: string) => said.push(text),
      nbdkit: { program: server, modules: '', runFolder: folder },
    },
  };
  const connections = new DiskConnections(disk, listener);
  return { connections, port, said, [Symbol.asyncDispose]: () => connections.stop() };
}

/** In the clear: all that comes back until it is hung up on. */
function shouted(port: number, bytes: Uint8Array): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, host);
    let got = '';
    socket.on('error', () => {});
    socket.on('data', chunk => {
      got += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(got));
    socket.write(bytes);
  });
}

/** What an invited client hears first. */
async function hello(port: number, secret: Uint8Array, words: Uint8Array = diskHello) {
  const socket = await connectTcp({ ip: host, port }, 2000);
  encryptSocket(socket.fd, tlsKeys(secret, 'disk', 'aes128gcm', 'client'));
  const stream = streamOf(socket.fd, 5000, 'a server', undefined);
  await stream.write(words);
  return { socket, stream };
}

test('in the clear nobody is answered, invited or not', async () => {
  await using disk = open();
  assert.equal(await shouted(disk.port, diskHello), '');
  disk.connections.invite();
  assert.equal(await shouted(disk.port, diskHello), '');
  assert.equal(await shouted(disk.port, new Uint8Array(200).fill(0x17)), '');
  assert.deepEqual(disk.said, []); // anybody can do this, as often as they like
  assert.ok(disk.connections.isAlive);
});

test('after the end nobody connects', async () => {
  const disk = open();
  await disk.connections.stop();
  assert.equal(await shouted(disk.port, diskHello), '');
  assert.ok(!disk.connections.isAlive);
});

if (hasTls) {
  test('the invited one is served, once; whoever has another key is not heard', async () => {
    await using disk = open();
    const former = disk.connections.invite();
    const secret = disk.connections.invite();
    for (const wrong of [former, new Uint8Array(32)]) {
      const { socket, stream } = await hello(disk.port, wrong);
      using _ = socket;
      await assert.rejects(stream.read(1));
    }
    const { socket, stream } = await hello(disk.port, Uint8Array.from(secret));
    using _ = socket;
    assert.equal((await stream.read(7)).toString(), 'served\n');
    const again = await hello(disk.port, secret);
    using __ = again.socket;
    await assert.rejects(again.stream.read(1));
  });

  test('a newer connection ends the one before', async () => {
    await using disk = open();
    const first = await hello(disk.port, disk.connections.invite());
    using _ = first.socket;
    await first.stream.read(7);
    const second = await hello(disk.port, disk.connections.invite());
    using __ = second.socket;
    await second.stream.read(7);
    await assert.rejects(first.stream.read(1));
  });
}
