// Who gets to a disk that is served: only the one who was invited, and only encrypted. That the kernel's NBD client works
// through it, and that nothing is lost when a connection is made anew, is tested in the lab.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { streamOf } from '#linux/byte-stream.ts';
import { nbdHandshake } from '#linux/nbd-handshake.ts';
import { connectTcp } from '#linux/tcp.ts';
import { serverArguments } from './connections.ts';
import { diskHello } from './driver.ts';
import { folder, hasTls, hello, host, openDisk as open, shouted } from './fake-disk.ts';

test('in the clear nobody is answered, invited or not', async () => {
  await using disk = open({});
  assert.equal(await shouted(disk.port, diskHello), '');
  for (let times = 0; times < 3; times++) {
    disk.connections.invite();
    assert.equal(await shouted(disk.port, diskHello), '');
    assert.equal(await shouted(disk.port, new Uint8Array(200).fill(0x17)), '');
  }
  // Anybody can do this, as often as they like. A kernel that cannot encrypt is told of, once.
  const said = hasTls ? [] : [/^the kernel does not encrypt connections to crab-disk0-7: /];
  assert.equal(disk.said.length, said.length);
  for (const [index, words] of said.entries()) assert.match(disk.said[index] ?? '', words);
  assert.ok(disk.connections.isAlive);
});

test('after the end nobody connects', async () => {
  const disk = open();
  await disk.connections.stop();
  assert.equal(await shouted(disk.port, diskHello), '');
  assert.ok(!disk.connections.isAlive);
});

test('whoever is not invited, or says another hello, is hung up on; an invitation counts once', async () => {
  await using disk = open();
  const early = await hello(disk.port, new Uint8Array(32));
  using _ = early.socket;
  await assert.rejects(early.stream.read(1));
  const secret = disk.connections.invite();
  const wrong = await hello(disk.port, secret, Buffer.from('NBDMAGIC'));
  using __ = wrong.socket;
  await assert.rejects(wrong.stream.read(1));
  const right = await hello(disk.port, secret);
  using ___ = right.socket;
  assert.equal((await right.stream.read(7)).toString(), 'served\n');
  const again = await hello(disk.port, secret);
  using ____ = again.socket;
  await assert.rejects(again.stream.read(1));
});

test('a newer connection ends the one before, which serves until the newer one has shown itself', async () => {
  await using disk = open();
  const first = await hello(disk.port, disk.connections.invite());
  using _ = first.socket;
  await first.stream.read(7);
  const former = pidOf();
  const secret = disk.connections.invite();
  const wrong = await hello(disk.port, secret, Buffer.from('NBDMAGIC'));
  using __ = wrong.socket;
  await assert.rejects(wrong.stream.read(1));
  assert.ok(lives(former), 'a stranger ends nothing');
  const second = await hello(disk.port, secret);
  using ___ = second.socket;
  await second.stream.read(7);
  assert.ok(!lives(former), 'it has ended before the next one says a word');
  await assert.rejects(first.stream.read(1));
  assert.notEqual(pidOf(), former);
});

test('a crowd that says nothing does not keep out the one who is invited', async () => {
  await using disk = open();
  const secret = disk.connections.invite();
  const crowd = await Promise.all(
    Array.from({ length: 60 }, () => connectTcp({ ip: host, port: disk.port }, 2000)),
  );
  const { socket, stream } = await hello(disk.port, secret);
  using _ = socket;
  assert.equal((await stream.read(7)).toString(), 'served\n');
  for (const each of crowd) each[Symbol.dispose]();
});

test('while a server serves the next agent can find it', async () => {
  await using disk = open();
  const { socket, stream } = await hello(disk.port, disk.connections.invite());
  using _ = socket;
  await stream.read(7);
  assert.ok(lives(pidOf()));
});

/** Of the server, as the next agent finds it. */
const pidOf = (): number => Number(readFileSync(join(folder, 'crab-disk0-7.pid'), 'utf8'));

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

if (hasTls) {
  test('whoever has another key is not heard', async () => {
    await using disk = open();
    const former = disk.connections.invite();
    const secret = disk.connections.invite();
    for (const wrong of [former, new Uint8Array(32)]) {
      const { socket, stream } = await hello(disk.port, wrong);
      using _ = socket;
      await assert.rejects(stream.read(1));
    }
    const { socket, stream } = await hello(disk.port, secret);
    using _ = socket;
    assert.equal((await stream.read(7)).toString(), 'served\n');
  });
}

test('the server answers a write when the disk itself has it: a power cut takes nothing along that was answered', () => {
  const said = serverArguments('/m', '/dev/vda', 'crab-disk0-7');
  assert.ok(said.includes('--filter=/m/nbdkit-fua-filter.so') && said.includes('fuamode=force'));
});

const program = '/usr/bin/nbdkit';
const modules = '/usr/lib/x86_64-linux-gnu/nbdkit';
test('a server goes on answering when the agent that started it is killed: the OS must not see an error', {
  skip:
    existsSync(program) && process.getuid?.() === 0 ? false : 'nbdkit is not installed, or this is not root',
}, async () => {
  for (const name of [
    'plugins/nbdkit-file-plugin.so',
    'filters/nbdkit-exportname-filter.so',
    'filters/nbdkit-fua-filter.so',
  ])
    symlinkSync(join(modules, name), join(folder, name.replace(/.*\//, '')));
  const path = join(folder, 'served');
  writeFileSync(path, Buffer.alloc(1 << 20, 'a'));
  const agent = `
    import { spawn } from 'node:child_process';
    import { createServer } from 'node:net';
    const listening = createServer({ pauseOnConnect: true }, ({ _handle: { fd } }) => {
      const server = spawn(${JSON.stringify(program)}, ${JSON.stringify(serverArguments(folder, path, 'x'))}, {
        stdio: [fd, fd, 'ignore'],
      });
      console.log(server.pid);
    }).listen(0, ${JSON.stringify(host)}, () => console.log(listening.address().port));`;
  const killed = spawn(process.execPath, ['--input-type=module', '-e', agent], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(killed.stdout)[Symbol.asyncIterator]();
  const number = async (): Promise<number> => Number((await lines.next()).value);
  using socket = await connectTcp({ ip: host, port: await number() }, 2000);
  const stream = streamOf(socket.fd, 5000, 'the server', undefined);
  const pid = await number();
  try {
    await nbdHandshake(stream, 'x');
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    for (const cookie of [1n, 2n]) {
      const request = Buffer.alloc(28); // NBD_CMD_READ of 512 bytes
      request.writeUInt32BE(0x25609513, 0);
      request.writeBigUInt64BE(cookie, 8);
      request.writeUInt32BE(512, 24);
      await stream.write(request);
      const answer = await stream.read(16);
      assert.deepEqual([answer.readUInt32BE(4), answer.readBigUInt64BE(8)], [0, cookie]);
      assert.equal((await stream.read(512)).toString(), 'a'.repeat(512));
    }
  } finally {
    killed.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
  }
});
