// As power.long.test.ts, with B's power gone too: once B says that it has nothing, once a person does. Either way the OS
// starts from its disk as after any power cut.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootStory } from './boot-story.ts';
import { comesUpAsStandby, cutBeforeGrant } from './power-cut.ts';
import { agentSays, bootIdOf, noKernelComplaint, standbyReady } from './stories.ts';

const { a, b, bootId, story } = await bootStory('power-both');

/** What is asked of a computer while it restarts is never answered. */
async function startsTheOs(since: number): Promise<void> {
  await a.waitForSerial(/yado: active on a/, { timeoutMs: 300_000, since });
  await agentSays(a, /active/);
}

story(
  'A and B lose power before the grant: B says that it has nothing, A starts the OS by itself',
  async () => {
    await a.shell('echo written > /root/before; sync /root/before');
    await cutBeforeGrant(a);
    await b.kill();
    await comesUpAsStandby(a);
    assert.match(await a.shell('yado status', { timeoutMs: 60_000 }), /crab was leaving to b when the power/);
    const mark = a.serialMark();
    await b.boot();
    await standbyReady(b);
    await startsTheOs(mark);
    assert.notEqual(await bootIdOf(a), bootId);
    assert.equal(await a.shell('cat /root/before'), 'written\n');
  },
);

story('B is gone for good: a person types yado resume', async () => {
  await cutBeforeGrant(a);
  await b.kill();
  await comesUpAsStandby(a);
  const refused = await a.exec('yado resume', { timeoutMs: 60_000 });
  assert.notEqual(refused.code, 0, 'nobody is there to confirm');
  assert.match(refused.output, /two\ncopies/);
  await sleep(5000); // it asks b again and again, and goes on waiting
  assert.match(await a.shell('yado status', { timeoutMs: 60_000 }), /Role +standby/);
  const mark = a.serialMark();
  await a.shell('yado resume --yes', { timeoutMs: 60_000 });
  await startsTheOs(mark);
  noKernelComplaint([a]);
  await a.shell('sync', { timeoutMs: 60_000 });
  await a.kill();
  const disk = await a.checkDisk();
  assert.ok(disk.clean, disk.report);
});
