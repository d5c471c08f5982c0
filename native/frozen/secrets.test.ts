// Where the secrets of a move are, and are not, in the helper: no other user gets at them, and keys of the stream are gone
// once the kernel has them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { frameTypes } from '#wire/frames.ts';
import { waitForLog } from './test/helpers.ts';
import { streamOf } from './test/image.ts';
import { begin, pages, program, root, target, token } from './test/lone-target.ts';
import { claimKey, move, token as moveToken, needsRoot, pastClaim } from './test/world.ts';

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

/** As bytes, and in what else they could be written. */
const spellings = (secret: Uint8Array): Buffer[] => [
  Buffer.from(secret),
  ...(['hex', 'base64', 'base64url'] as const).map(each => Buffer.from(Buffer.from(secret).toString(each))),
];

test(
  'no secret of a move is on a command line, in an environment, in a log or in a report',
  needsRoot,
  async () => {
    await using world = await move({
      aFaults: ['copy.arrive:delay=10'],
      bFaults: ['target.freeze:delay=10'],
    });
    const report = await world.a.report;
    assert.equal(report.outcome, 'arrived');
    await waitForLog(world.folder, 'copy unfreeze');
    const ghost = Math.abs(world.ghost() ?? 0);
    assert.ok(ghost > 0);
    const seen = Buffer.concat([
      ...[world.a.pid, ghost].flatMap(pid =>
        ['cmdline', 'environ'].map(name => readFileSync(`/proc/${pid}/${name}`)),
      ),
      ...['log', 'kmsg'].map(name => readFileSync(join(world.folder, name))),
      ...[...world.a.frames, ...world.b.frames].map(({ payload }) => Buffer.from(payload)),
      Buffer.from(JSON.stringify(report)),
    ]);
    assert.ok(seen.includes('copy.arrive')); // the kernel log is among it
    for (const secret of [claimKey, pastClaim.key, moveToken])
      for (const spelling of spellings(secret)) assert.ok(!seen.includes(spelling));
  },
);
