// A's power goes between the mark on its disk and the grant, on one booted pair: the copy at B waits; A, switched on again
// from its disk, starts no second OS and grants it. It outlives a second cut, and the OS comes home.
import assert from 'node:assert/strict';
import { os } from '#lab/os-recipe.ts';
import { startWorkload, tickerPort } from '#lab/workload.ts';
import { bootStory } from './boot-story.ts';
import { comesUpAsStandby, cutBeforeGrant } from './power-cut.ts';
import { agentSays, bootIdOf, places, worksOn } from './stories.ts';

const booted = await bootStory('power');
const { lab, a, b, bootId, story } = booted;
await startWorkload(a);
const connection = await lab.third.watchConnection(os.address, tickerPort);

story('A loses power before the grant: on again it grants the copy at B, and nothing is lost', async () => {
  booted.at = b;
  await cutBeforeGrant(a);
  await comesUpAsStandby(a);
  await agentSays(b, /active/, 240_000);
  await b.shell('rm /run/yado/faults'); // it was armed in the memory of the OS, and came along
  assert.equal(await bootIdOf(b), bootId);
  await worksOn(b);
  assert.equal((await places(b)).disk0, 'a');
  assert.match(await a.shell('yado status', { timeoutMs: 60_000 }), /standby[\s\S]*crab has left to b/);
});

story(
  'the mark outlives what the OS writes: A loses power once more, and serves the disk again',
  async () => {
    // A file that is removed while it is open puts its inode into the superblock, and with it the first block on the disk.
    await b.shell('(exec 9> /root/gone; rm /root/gone; sync; exec 9>&-; sync)', { timeoutMs: 60_000 });
    await a.kill();
    await comesUpAsStandby(a);
    await b.shell('echo written > /root/after; sync /root/after', { timeoutMs: 180_000 });
    // What A had answered, and no flush had followed yet, is on the disk, not only in the memory of the OS.
    await b.shell('sync; echo 3 > /proc/sys/vm/drop_caches', { timeoutMs: 180_000 });
    await worksOn(b);
  },
);

story('home again, with its programs and its connection', async () => {
  const { code, output } = await b.exec('yado migrate a', { timeoutMs: 400_000 });
  assert.equal(code, 0, output);
  booted.at = a;
  assert.equal(await bootIdOf(a), bootId);
  await worksOn(a);
  const direct = 'for disk in /dev/vd?; do dd if=$disk iflag=direct bs=512 count=1 2>/dev/null; done';
  assert.doesNotMatch(await a.shell(direct), /YADOKARI/, 'no mark is left');
  const report = await connection.stop();
  assert.ok(report.whole, JSON.stringify(report));
});
