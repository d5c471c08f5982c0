// The OS is restarted, and another time shut down, away from home: the computer that serves its disk hears of it from its last
// program, and does what the OS would have done there.
import assert from 'node:assert/strict';
import { waitFor } from '#lab/time.ts';
import { bootStory } from './boot-story.ts';
import { agentSays, bootIdOf, noKernelComplaint, standbyReady } from './stories.ts';

const booted = await bootStory('ended');
const { a, b, bootId, story } = booted;
const moveMs = 400_000;
const endMs = 300_000;

/** What ext4 says when it was not unmounted, or not made read-only, by whoever had it before. */
const unclean = /EXT4-fs[^\n]*(recovery complete|orphan cleanup)/;

story('restarted at B, the OS starts again from its disk at A, and B is a standby again', async () => {
  await a.shell('yado migrate b', { timeoutMs: moveMs });
  booted.at = b;
  assert.equal(await bootIdOf(b), bootId);
  await b.shell('echo kept > /root/kept'); // written when the OS ends, and not before
  const [atA, atB] = [a.serialMark(), b.serialMark()] as const;
  await b.shell('systemctl --no-block reboot');
  await b.waitForSerial(/a knows that crab has ended/, { timeoutMs: endMs, since: atB });
  await a.waitForSerial(/crab has ended: this computer restarts/, { timeoutMs: endMs, since: atA });
  await a.waitForSerial(/yado: active on a/, { timeoutMs: endMs, since: atA });
  booted.at = a;
  await agentSays(a, /active/);
  assert.notEqual(await bootIdOf(a), bootId);
  assert.equal(await a.shell('cat /root/kept'), 'kept\n');
  assert.doesNotMatch(a.serialLog().slice(atA), unclean);
  await standbyReady(b);
});

story('shut down at B, A, a standby by then, switches itself off; switched on it starts the OS', async () => {
  await a.shell('yado migrate b', { timeoutMs: moveMs });
  booted.at = b;
  await agentSays(b, /^Home +a: it starts the OS again/m);
  await b.shell('yado standby a', { timeoutMs: endMs });
  await standbyReady(a);
  await b.shell('echo twice > /root/kept');
  await b.shell('systemctl --no-block poweroff');
  await waitFor('both to be off', () => (a.on || b.on ? undefined : true), { timeoutMs: endMs });
  const disk = await a.checkDisk();
  assert.ok(disk.clean, disk.report);
  const mark = a.serialMark();
  await a.boot();
  await a.waitForSerial(/yado: active on a/, { timeoutMs: endMs, since: mark });
  booted.at = a;
  assert.equal(await a.shell('cat /root/kept', { timeoutMs: endMs }), 'twice\n');
  assert.doesNotMatch(a.serialLog().slice(mark), unclean);
});

story('no kernel has complained', async () => noKernelComplaint([a, b]));
