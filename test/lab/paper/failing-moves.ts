// Moves that end at A: refused by B, cancelled, cut off, not claimed, claimed too late, died in the restore.
import assert from 'node:assert/strict';
import type { History } from '#core/history.ts';
import { waitFor } from '#lab/time.ts';
import { checkWorkload } from '#lab/workload.ts';
import { agentSays, armed, bootIdOf, json, standbyReady } from '../stories.ts';
import { a, b, bootId, goesOnAtA, keepsTime, migrate, story } from './told.ts';

story('B refuses a page frame outside its RAM: the OS goes on at A', async () => {
  await armed(b, 'target.frames:error');
  const both = await a.exec(
    'yado migrate b >/run/second 2>&1 & yado migrate b; c=$?; wait; cat /run/second; exit $c',
    {
      timeoutMs: 240_000,
    },
  );
  assert.match(both.output, /a is busy: it is moving the OS to b/); // two at once: the later one is told
  await goesOnAtA(both, /Page frame 0x[0-9a-f]+ of the OS lies where b has no memory/);
  await b.shell('rm /run/yado/faults');
});

story('a second move is refused; cancel while memory is copied ahead: nothing was stopped', async () => {
  await b.slow(15); // as long as a person needs to change their mind
  const moving = migrate();
  await waitFor(
    'memory that is copied ahead',
    async () =>
      /copying ahead, round 1, .* of .*MiB/.test((await a.exec('yado status', { timeoutMs: 60_000 })).output)
        ? true
        : undefined,
    { timeoutMs: 120_000 },
  );
  await waitFor(
    'the same at B',
    async () =>
      /copying ahead/.test((await b.exec('yado status', { timeoutMs: 60_000 })).output) ? true : undefined,
    { timeoutMs: 60_000 },
  );
  for (const second of ['yado migrate b', 'yado lend display0 --to b']) {
    const { code, output } = await a.exec(second, { timeoutMs: 60_000 });
    assert.equal(code, 6, output);
    assert.match(output, /a is busy: it is moving the OS to b\.\s+next: yado wait/);
  }
  assert.match((await a.exec('yado status', { timeoutMs: 60_000 })).output, /copying ahead/); // unharmed
  assert.equal((await a.exec('yado cancel', { timeoutMs: 60_000 })).code, 0);
  await goesOnAtA(await moving, /cancelled/);
  const [entry] = await json<History>(a, 'yado history --json');
  assert.equal(entry?.pausedMs ?? 0, 0);
  assert.ok((entry?.bytesSent ?? 0) > 0);
  await b.slow(undefined);
  await standbyReady(b);
});

story('yado cancel while the image is on its way: the OS goes on at A', async () => {
  await b.slow(80); // as long as a person needs to change their mind
  await keepsTime(cancelWhileSending);
  await b.slow(undefined);
});

async function cancelWhileSending(): Promise<void> {
  const mark = a.serialMark();
  const moving = a.exec('yado migrate b --stop-and-copy', { timeoutMs: 240_000 });
  await a.waitForSerial(/Image created/, { timeoutMs: 120_000, since: mark });
  assert.equal((await b.exec('yado cancel', { timeoutMs: 60_000 })).code, 0);
  await goesOnAtA(await moving, /cancelled/);
}

/** Waits for a file whose file system's server does not answer: who waits so can be ended, but not made to stand still. */
const farFile =
  'exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 far /mnt; cat /mnt/letter';

story('a program that cannot stand still is named: the OS goes on at A', async () => {
  await a.shell(
    `systemd-run --quiet --collect --unit=lab-far --property=PrivateMounts=yes sh -c '${farFile}; true'`,
  );
  const waits = await waitFor(
    'a program that waits for the file',
    async () => (await a.exec('pgrep -x cat -r D')).output.trim() || undefined,
    { timeoutMs: 60_000 },
  );
  const refused = await a.exec('yado migrate b --stop-and-copy', { timeoutMs: 240_000 });
  await goesOnAtA(refused, new RegExp(`cat \\(pid ${waits}\\) on a would not stand still`));
  assert.match(refused.output, new RegExp(`next: end cat \\(pid ${waits}\\), then try again`));
  const [entry] = await json<History>(a, 'yado history --json');
  console.log(`# stood still for ${Math.round(entry?.pausedMs ?? 0)} ms`);
  // As it says. The moves below find nothing that keeps them.
  await a.shell(`kill -9 ${waits}; while [ -e /proc/${waits} ]; do sleep 0.1; done`);
});

story('the cable is pulled and not healed: the OS goes on at A', async () => {
  const mark = a.serialMark();
  const moving = migrate();
  await a.waitForSerial(/Image created/, { timeoutMs: 120_000, since: mark });
  await b.cut();
  const result = await moving;
  await b.heal();
  await goesOnAtA(result, /connection to b broke/);
  await agentSays(b, /waits for an OS/);
});

story('a late copy on B claims after the roll back: it is refused and B becomes a standby', async () => {
  const marks = [a.serialMark(), b.serialMark()] as const;
  await armed(a, 'copy.arrive:delay=60000');
  await goesOnAtA(await migrate(), /b did not claim the OS within/);
  await a.waitForSerial(/refused a late claim from 10\.77\.0\.2/, { timeoutMs: 120_000, since: marks[0] });
  await b.waitForSerial(/standby b at/, { timeoutMs: 240_000, since: marks[1] });
  await standbyReady(b);
  assert.equal(await bootIdOf(a), bootId);
  await checkWorkload(a);
});

story('B dies in the restore: A takes the OS back by its time-out', async () => {
  await armed(b, 'target.restore:reset');
  await goesOnAtA(await migrate(), /b did not claim the OS within/);
  await standbyReady(b);
});
