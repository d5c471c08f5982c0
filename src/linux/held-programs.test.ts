// Real programs are held and let go: they stand still and go on, and their parent learns of nothing but their end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HeldPrograms, holdersOf } from '#linux/held-programs.ts';

const stateOf = (pid: number): string =>
  /^State:\t(.)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';

test('who has a file open is found by the end of its path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'yado-held-'));
  const path = join(folder, 'lp0');
  writeFileSync(path, '');
  const fd = openSync(path, 'r');
  assert.deepEqual(holdersOf(path), [process.pid]);
  closeSync(fd);
  assert.deepEqual(holdersOf(path), []);
  rmSync(folder, { recursive: true });
});

test('a program that is held does nothing, and goes on where it was', async () => {
  const child = spawn('sh', ['-c', 'trap "echo got; exit 7" TERM; while :; do sleep 0.01; done'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  await sleep(200);
  const held = new HeldPrograms();
  assert.equal(await held.hold(() => [child.pid!], 2000), 0);
  assert.equal(stateOf(child.pid!), 't');
  child.kill('SIGTERM');
  await sleep(100);
  assert.equal(stateOf(child.pid!), 't');
  await held.letGo();
  assert.deepEqual((await ended).slice(0, 2), [7, null]);
});

test('a program that is killed while it is held ends as such', async () => {
  const child = spawn('sleep', ['60']);
  const ended = once(child, 'close');
  const held = new HeldPrograms();
  assert.equal(await held.hold(() => [child.pid!], 2000), 0);
  child.kill('SIGKILL');
  await held.letGo();
  assert.deepEqual((await ended).slice(0, 2), [null, 'SIGKILL']);
  assert.equal(await held.hold(() => [child.pid!], 100), 0, 'one that is gone is no matter');
});
