// The fall-back: computers without set-aside memory, so that the agent lies in memory that moves. The OS moves all the same.
// Its root file system lies in a partition, as an installer of Debian would have put it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { History } from '#core/history.ts';
import { startLab } from '#lab/lab.ts';
import { os } from '#lab/os-recipe.ts';
import { product } from '#lab/product.ts';
import { checkWorkload, startWorkload, tickerPort } from '#lab/workload.ts';

test('the OS moves although no memory was set aside for the agent', async () => {
  await using lab = await startLab({
    ...product(),
    scenario: 'plain',
    layout: 'partition',
    say: text => console.log(`# ${text}`),
  });
  const a = lab.computer('a');
  const b = lab.computer('b');
  await startWorkload(a, { memoryMiB: 20 });
  const bootId = await a.shell('cat /proc/sys/kernel/random/boot_id');
  await using connection = await lab.third.watchConnection(os.address, tickerPort);
  assert.match(await a.shell('cat /proc/mounts'), /^\/dev\/mapper\/yado-root \/ ext4 /m);
  assert.equal(await a.shell('cat /sys/block/dm-0/slaves/*/partition'), '2\n');
  const moved = await a.exec('yado migrate b', { timeoutMs: 400_000 });
  assert.equal(moved.code, 0, moved.output);
  assert.equal(await b.shell('cat /proc/sys/kernel/random/boot_id'), bootId);
  const work = await checkWorkload(b);
  assert.equal(work.memoryErrors + work.cpuErrors, 0);
  const seen = await connection.stop();
  assert.ok(seen.whole, JSON.stringify(seen));
  const [entry] = JSON.parse(await b.shell('yado history --json', { timeoutMs: 60_000 })) as History;
  assert.equal(entry?.outcome, 'moved');
  // A could not become a standby without losing its agent, and with it the disk: it is not asked to.
  const home = await b.exec('yado migrate a', { timeoutMs: 400_000 });
  assert.notEqual(home.code, 0, home.output);
  assert.match(home.output, /no memory is set aside there for its agent/);
  await b.shell('sync; echo written > /root/later; sync', { timeoutMs: 60_000 });
  assert.equal((await checkWorkload(b)).memoryErrors, 0);
  for (const computer of [a, b]) assert.doesNotMatch(computer.serialLog(), /WARNING: |BUG: |Oops|Call Trace/);
});
