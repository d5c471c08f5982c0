// Real programs are held and let go: they stand still and go on, and their parent learns of nothing but their end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HeldPrograms, holdersOf } from '#linux/held-programs.ts';

const status = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'utf8');

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

/** A program with a parent that tells how it ended; not our own child, for Node waits for those by itself. */
async function startUnder(script: string): Promise<{ pid: number; ending: Promise<string> }> {
  const parent = spawn('sh', ['-c', `sh -c '${script}' & echo $!; wait $!; echo "ended with $?"`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = createInterface(parent.stdout)[Symbol.asyncIterator]();
  const pid = Number((await lines.next()).value);
  return { pid, ending: lines.next().then(({ value }) => String(value)) };
}

const sigTerm = 1n << 14n; // of SigCgt in /proc/PID/status

/** A shell that has not begun yet what it is to run may handle other signals. */
async function untilItHandlesTerm(pid: number): Promise<void> {
  for (const end = performance.now() + 5000; performance.now() < end; await sleep(5))
    if (BigInt(`0x${/^SigCgt:\t([0-9a-f]+)/m.exec(status(pid))?.[1] ?? '0'}`) & sigTerm) return;
  assert.fail('no trap was set');
}

test('a program that is held does nothing, and goes on where it was', async () => {
  const { pid, ending } = await startUnder('trap "exit 7" TERM; while :; do sleep 0.01; done');
  await untilItHandlesTerm(pid);
  const held = new HeldPrograms();
  assert.equal(await held.hold(() => [pid], 5000), 0);
  assert.match(status(pid), /^State:\tt/m);
  process.kill(pid, 'SIGTERM');
  assert.equal(await Promise.race([ending, sleep(100, 'nothing')]), 'nothing');
  await held.letGo();
  assert.equal(await ending, 'ended with 7');
});

test('a program that is killed while it is held ends as such', async () => {
  const { pid, ending } = await startUnder('exec sleep 60');
  const held = new HeldPrograms();
  assert.equal(await held.hold(() => [pid], 5000), 0);
  process.kill(pid, 'SIGKILL');
  await held.letGo();
  assert.equal(await ending, 'ended with 137');
  assert.equal(await held.hold(() => [pid], 100), 0, 'one that is gone is no matter');
});
