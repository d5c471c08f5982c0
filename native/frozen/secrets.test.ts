// Where the secrets of a move are, and are not, in the helper: no other user gets at them, and keys of the stream are gone
// once the kernel has them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { frameTypes } from '#wire/frames.ts';
import { streamOf } from './test/image.ts';
import { begin, pages, program, root, target, token } from './test/lone-target.ts';
import { needsRoot } from './test/world.ts';

/** The sanitizers have mappings that no memory is behind. */
const mostBytes = 64 << 20;

/** What a process can write to, all of it. */
function memoryOf(pid: number): Buffer {
  const fd = openSync(`/proc/${pid}/mem`, 'r');
  const pieces = readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap(line => {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (from === undefined || to === undefined) return [];
      const length = Number(BigInt(`0x${to}`) - BigInt(`0x${from}`));
      if (length > mostBytes) return [];
      const bytes = Buffer.alloc(length);
      readSync(fd, bytes, 0, length, Number(BigInt(`0x${from}`)));
      return [bytes];
    });
  closeSync(fd);
  return Buffer.concat(pieces);
}

test('the keys of the stream are not in the memory of a target that receives', needsRoot, async () => {
  // In the clear, so that this can be tried on every kernel: what is done with the keys of the job is the same.
  const tls = { out: Buffer.alloc(40, 'key of what B sends '), in: Buffer.alloc(40, 'key of what A sends ') };
  await using b = await target({}, { plain: true, tls });
  assert.ok(memoryOf(b.helper.pid).includes(tls.in), 'they would be found');
  const { socket, next } = b.open();
  socket.write(Buffer.concat([begin, ...streamOf(pages)]));
  assert.equal((await next())?.type, frameTypes.ready.number);
  const memory = memoryOf(b.helper.pid);
  assert.ok(memory.includes(token)); // it marks the mailbox page
  for (const key of [tls.in, tls.out]) assert.ok(!memory.includes(key));
});

test('the helper leaves no core dump, and opens its memory to no other user', needsRoot, async () => {
  const nobody = 65_534;
  for (let folder = program; folder.length >= root.length; folder = folder.slice(0, folder.lastIndexOf('/')))
    chmodSync(folder, 0o755);
  const child = spawn(program, ['target', '3', '4'], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'],
    uid: nobody,
    gid: nobody,
  });
  await once(child, 'spawn');
  // What a process that may be dumped has in /proc belongs to its user.
  const owner = (): number => statSync(`/proc/${child.pid}/environ`).uid;
  const end = performance.now() + 8000;
  while (owner() !== 0 && performance.now() < end) await new Promise(resolve => setImmediate(resolve));
  assert.equal(owner(), 0);
  child.kill('SIGKILL');
  await once(child, 'exit');
});
