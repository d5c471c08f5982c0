// A disk that both computers reach: the OS uses it from B by itself, A is not needed and starts nothing from it; home again it is
// A's as before.
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import type { Status } from '#core/api.ts';
import type { Computer } from '#lab/computer.ts';
import { os } from '#lab/os-recipe.ts';
import { waitFor } from '#lab/time.ts';
import { startWorkload, tickerPort } from '#lab/workload.ts';
import { bootStory } from './boot-story.ts';
import {
  agentSays,
  bootIdOf,
  deviceRow,
  json,
  noKernelComplaint,
  places,
  standbyReady,
  worksOn,
} from './stories.ts';

const told = await bootStory('shared', { scenario: 'shared' });
const { lab, a, b, story } = told;
let { bootId } = told;
await startWorkload(a, { memoryMiB: 20 });
const connection = await lab.third.watchConnection(os.address, tickerPort);

/** What the mark on the disk says; empty where there is none. */
function markOnDisk(): string {
  const bytes = Buffer.alloc(1024);
  const fd = openSync(a.diskFile, 'r');
  readSync(fd, bytes, 0, bytes.length, 0);
  closeSync(fd);
  return bytes.toString('latin1').replace(/\0[\s\S]*/, '');
}

async function moveTo(target: Computer, options = ''): Promise<void> {
  const moved = await told.at.exec(`yado migrate ${target.name} ${options}`, { timeoutMs: 400_000 });
  assert.equal(moved.code, 0, moved.output);
  told.at = target;
  assert.equal(await bootIdOf(target), bootId);
  const done = await waitFor(
    `${target.name} to use the disk by itself`,
    async () => {
      const { disk } = await json<Status>(target, 'yado status --json');
      assert.notEqual(disk?.kind, 'givenUp', disk?.text ?? '');
      return disk?.kind === 'done' ? disk : undefined;
    },
    { timeoutMs: 120_000, everyMs: 1000 },
  );
  assert.equal(done.text, `${target.name} uses it by itself`);
  assert.equal((await places(target)).disk0, target.name);
  assert.equal((await deviceRow(target, 'disk0')).way, 'direct');
  assert.match(await target.shell('dmsetup table yado-root'), /^2 \d+ linear 25[2-4]:\d+ 2$/m);
}

story('a person has to answer for it, by name', async () => {
  const tried = await a.exec('yado migrate b --disk=shared --dry-run', { timeoutMs: 120_000 });
  assert.equal(tried.code, 4, tried.output);
  assert.match(tried.output, /a goes on reaching the disk once b uses it[\s\S]*--accept-risk disk-unfenced/);
});

story('it moves to B, which uses the disk by itself', async () => {
  await a.shell('head -c 30000000 /dev/urandom > /root/big && sha256sum /root/big > /root/sum && sync');
  await moveTo(b, '--disk=shared --accept-risk=disk-unfenced');
  await worksOn(b);
  assert.match(markOnDisk(), /^YADOKARI.*"state":"left".*"usedBy":"b"/);
});

story(
  'A loses its power and is switched on again: it starts nothing from the disk, and is not needed',
  async () => {
    await a.waitForSerial(/standby a at/, { timeoutMs: 240_000 });
    await a.kill();
    await b.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum', { timeoutMs: 120_000 });
    await b.shell('echo without A > /root/later && sync', { timeoutMs: 60_000 });
    await a.boot('os');
    await agentSays(a, /standby/, 300_000);
    const { left } = await json<Status>(a, 'yado status --json');
    assert.deepEqual([left?.state, left?.to], ['left', 'b']);
    assert.match(a.serialLog(), /b uses its disk by itself/);
    assert.match(markOnDisk(), /"usedBy":"b"/);
    await worksOn(b);
  },
);

story('home again, without a word about the disk: it is that of A as before', async () => {
  await standbyReady(a);
  await moveTo(a);
  assert.doesNotMatch(markOnDisk(), /YADOKARI/);
  await a.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum; cat /root/later', {
    timeoutMs: 120_000,
  });
  await worksOn(a);
  const seen = await connection.stop();
  assert.ok(seen.whole, JSON.stringify(seen));
  noKernelComplaint([a]);
});

story('restarted at B, it is A that starts the OS, from the disk that it has not served', async () => {
  await standbyReady(b);
  const mark = a.serialMark();
  await moveTo(b, '--disk=shared --accept-risk=disk-unfenced');
  await b.shell('echo before the end > /root/end');
  await a.waitForSerial(/standby a at/, { timeoutMs: 240_000, since: mark });
  const [atA, atB] = [a.serialMark(), b.serialMark()] as const;
  await b.shell('systemctl --no-block reboot');
  await b.waitForSerial(/a knows that crab has ended/, { timeoutMs: 300_000, since: atB });
  await a.waitForSerial(/yado: active on a/, { timeoutMs: 300_000, since: atA });
  told.at = a;
  await agentSays(a, /active/);
  assert.notEqual(await bootIdOf(a), bootId);
  bootId = await bootIdOf(a);
  assert.equal(await a.shell('cat /root/end'), 'before the end\n');
  assert.doesNotMatch(a.serialLog().slice(atA), /EXT4-fs[^\n]*(recovery complete|orphan cleanup)/);
  assert.doesNotMatch(markOnDisk(), /YADOKARI/);
});

story('there once more, and B loses its power: a person has A start the OS from the disk', async () => {
  await standbyReady(b);
  await moveTo(b, '--disk=shared --accept-risk=disk-unfenced');
  await b.shell('echo the last word > /root/last && sync', { timeoutMs: 60_000 });
  await a.waitForSerial(/standby a at/, { timeoutMs: 240_000 });
  await b.kill();
  await a.kill();
  await a.boot('os');
  await agentSays(a, /standby/, 300_000);
  const since = a.serialMark();
  await a.shell('yado resume --yes', { timeoutMs: 60_000 });
  await a.waitForSerial(/yado: active on a/, { timeoutMs: 300_000, since });
  await agentSays(a, /active/, 300_000);
  assert.notEqual(await bootIdOf(a), bootId);
  assert.equal(await a.shell('sha256sum --quiet -c /root/sum && cat /root/last'), 'the last word\n');
  assert.doesNotMatch(markOnDisk(), /YADOKARI/);
  await a.shell('sync');
  await a.kill();
  const { clean, report } = await a.checkDisk();
  assert.ok(clean, report);
});
