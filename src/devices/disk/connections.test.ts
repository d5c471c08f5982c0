// Who gets to a disk that is served: only the one who was invited, and only encrypted. That the kernel's NBD client works
// through it, and that nothing is lost when a connection is made anew, is tested in the lab.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectTcp } from '#linux/tcp.ts';
import { waitUntil } from '#managers/wait.ts';
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
  const former = await pidOf();
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
  assert.ok(await pidOf(former));
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
  assert.ok(lives(await pidOf()));
});

/** Of the server, as the next agent finds it: written beside its first words, not before them. */
const pidOf = (former = 0): Promise<number> =>
  waitUntil(
    'the number of the server',
    () => {
      const note = join(folder, 'crab-disk0-7.pid');
      const pid = existsSync(note) ? Number(readFileSync(note, 'utf8')) : 0;
      return pid > 1 && pid !== former && lives(pid) ? pid : undefined; // not that of the test before
    },
    { timeoutMs: 10_000, everyMs: 5 },
  );

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
