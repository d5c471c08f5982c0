// An OS whose root file system is a linear volume of LVM moves to B and home. A serves the volume without any of LVM's tools:
// as a ghost, as the standby after it, and as one that was switched on anew after its power was cut.
import assert from 'node:assert/strict';
import { os } from '#lab/os-recipe.ts';
import { startWorkload, tickerPort } from '#lab/workload.ts';
import { bootStory } from './boot-story.ts';
import { comesUpAsStandby } from './power-cut.ts';
import {
  agentSays,
  bootIdOf,
  deviceRow,
  noKernelComplaint,
  places,
  standbyReady,
  worksOn,
} from './stories.ts';

const booted = await bootStory('lvm', { layout: 'lvm' });
const { lab, a, b, bootId, story } = booted;
await startWorkload(a, { memoryMiB: 20 });
const connection = await lab.third.watchConnection(os.address, tickerPort);
const table = await a.shell('dmsetup table crab-root');

story('it moves to B; the ghost at A serves the volume', async () => {
  await a.shell('head -c 30000000 /dev/urandom > /root/big && sha256sum /root/big > /root/sum && sync');
  const { code, output } = await a.exec('yado migrate b', { timeoutMs: 400_000 });
  assert.equal(code, 0, output);
  booted.at = b;
  assert.equal(await bootIdOf(b), bootId);
  assert.equal((await places(b)).disk0, 'a');
  const { osType, way } = await deviceRow(b, 'disk0');
  assert.match(osType, /^volume crab-root on the disk at /);
  assert.equal(way, 'remote');
  await b.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum', { timeoutMs: 180_000 });
  await worksOn(b);
});

story(
  'A loses power: started from its disk it comes up as a standby and serves the volume again',
  async () => {
    await a.kill();
    await comesUpAsStandby(a);
    await b.shell('echo written > /root/after; sync /root/after', { timeoutMs: 180_000 });
    await b.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum', { timeoutMs: 180_000 });
    assert.match(await a.shell('yado status', { timeoutMs: 60_000 }), /standby[\s\S]*crab has left to b/);
    await worksOn(b);
  },
);

story("home again: the volume is LVM's as before, and nobody marks it", async () => {
  const { code, output } = await b.exec('yado migrate a', { timeoutMs: 400_000 });
  assert.equal(code, 0, output);
  booted.at = a;
  await agentSays(a, /active/);
  assert.equal(await bootIdOf(a), bootId);
  await worksOn(a);
  await a.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum; cat /root/after', {
    timeoutMs: 180_000,
  });
  // The same pieces, on the disk under whatever name it has now.
  const pieces = (text: string): string => text.replaceAll(/ \d+:\d+ /g, ' ');
  assert.equal(pieces(await a.shell('dmsetup table crab-root')), pieces(table));
  assert.match(await a.shell('dmsetup deps -o devname yado-root'), /\((dm-\d+|crab-root)\)/);
  assert.match(
    await a.shell('pvs --noheadings -o pv_name,vg_name', { timeoutMs: 60_000 }),
    /\/dev\/vd\w2 +crab/,
  );
  const first = 'dd if=/dev/mapper/crab-root iflag=direct bs=512 count=1 2>/dev/null';
  assert.doesNotMatch(await a.shell(first), /YADOKARI/, 'no mark is left');
});

story('and once more, there and home', async () => {
  for (const to of [b, a]) {
    if (to === b) await standbyReady(b);
    const { code, output } = await booted.at.exec(`yado migrate ${to.name}`, { timeoutMs: 400_000 });
    assert.equal(code, 0, output);
    booted.at = to;
    assert.equal(await bootIdOf(to), bootId);
    await worksOn(to);
  }
  const seen = await connection.stop();
  assert.ok(seen.whole, JSON.stringify(seen));
  noKernelComplaint([a, b]);
  await a.shell('sync');
  await a.kill();
  const { clean, report } = await a.checkDisk('lvm');
  assert.ok(clean, report);
});
