// An OS whose root file system is a volume in a LUKS container, as Debian's installer makes it ("guided, encrypted LVM"), moves to
// B and home. Only encrypted bytes leave it: A serves the container without its key, as a ghost, as the standby after it, and as one
// that was started from a medium after its power was cut. From its disk it starts nothing meanwhile.
import assert from 'node:assert/strict';
import { os } from '#lab/os-recipe.ts';
import { startWorkload, tickerPort } from '#lab/workload.ts';
import { bootStory } from './boot-story.ts';
import {
  agentSays,
  bootIdOf,
  deviceRow,
  noKernelComplaint,
  places,
  standbyReady,
  worksOn,
} from './stories.ts';

const layout = 'luks-lvm';
const booted = await bootStory('luks', { layout });
const { lab, a, b, bootId, story } = booted;

story('the stub lies between the disk and the container; the OS may move', async () => {
  assert.match(await a.shell('dmsetup deps -o devname yado-root'), /\(vda2\)/);
  assert.match(await a.shell('dmsetup deps -o devname crab_crypt'), /\((dm-\d+|yado-root)\)/);
  assert.match(await a.shell('cat /proc/mounts'), /^\/dev\/mapper\/crab-root \/ ext4 /m);
  assert.match(await a.shell('dd if=/dev/mapper/yado-root bs=4 count=1 2>/dev/null'), /^LUKS/);
  const { code, output } = await a.exec('yado migrate b --dry-run', { timeoutMs: 120_000 });
  assert.equal(code, 0, output);
  const follows = await a.exec('yado migrate b --dry-run --disk=follow --to-disk=x', { timeoutMs: 120_000 });
  assert.equal(follows.code, 4, follows.output);
  assert.match(follows.output, /An encrypted disk does not follow to b yet/);
});

let table = '';
story('it moves to B; the ghost at A serves what is encrypted', async () => {
  await startWorkload(a, { memoryMiB: 20 });
  table = await a.shell('dmsetup table crab_crypt');
  await a.shell('head -c 20000000 /dev/urandom > /root/big && sha256sum /root/big > /root/sum && sync');
  const { code, output } = await a.exec('yado migrate b', { timeoutMs: 500_000 });
  assert.equal(code, 0, output);
  booted.at = b;
  assert.equal(await bootIdOf(b), bootId);
  assert.equal((await places(b)).disk0, 'a');
  assert.equal((await deviceRow(b, 'disk0')).way, 'remote');
  await b.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum', { timeoutMs: 240_000 });
  assert.equal(await b.shell('dmsetup table crab_crypt'), table, 'nobody has touched what holds the key');
  await worksOn(b);
});

story('A loses power: from its disk it starts nothing, from a medium it serves the disk again', async () => {
  await a.kill();
  await a.boot('os');
  await a.waitForSerial(/yado: the OS on this disk has gone[\s\S]*yado standby build/, {
    timeoutMs: 240_000,
  });
  await a.kill();
  await a.boot('standby');
  await standbyReady(a);
  await b.shell('echo written > /root/after; sync /root/after', { timeoutMs: 240_000 });
  await b.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum', { timeoutMs: 240_000 });
  assert.match(await a.shell('yado status', { timeoutMs: 60_000 }), /standby[\s\S]*crab has left to b/);
  await worksOn(b);
});

story('home again, and once more there and home', async () => {
  const connection = await lab.third.watchConnection(os.address, tickerPort);
  for (const to of [a, b, a]) {
    if (to === b) await standbyReady(b);
    const { code, output } = await booted.at.exec(`yado migrate ${to.name}`, { timeoutMs: 500_000 });
    assert.equal(code, 0, output);
    booted.at = to;
    await agentSays(to, /active/);
    assert.equal(await bootIdOf(to), bootId);
    await worksOn(to);
  }
  await a.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum; cat /root/after', {
    timeoutMs: 240_000,
  });
  assert.match(await a.shell('dmsetup deps -o devname yado-root'), /\(vd\w2\)/);
  const gap = 'dd if=/dev/mapper/yado-root iflag=direct bs=1024 skip=16380 count=1 2>/dev/null';
  assert.doesNotMatch(await a.shell(gap), /YADOKARI/, 'no mark is left');
  const seen = await connection.stop();
  assert.ok(seen.whole, JSON.stringify(seen));
  noKernelComplaint([a, b]);
  await a.shell('sync');
  await a.kill();
  const { clean, report } = await a.checkDisk(layout);
  assert.ok(clean, report);
});
