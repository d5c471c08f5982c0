// A's power goes between the mark on its disk and the grant, the one moment in which nobody knows who has the OS: on one
// booted pair. The copy at B waits; A, switched on again from its disk, starts no second OS and grants it. Then the same
// with B's power gone too: once B says that it has nothing, once a person does.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Computer } from '#lab/computer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { os } from '#lab/os-recipe.ts';
import { product } from '#lab/product.ts';
import { startWorkload, tickerPort } from '#lab/workload.ts';
import {
  agentSays,
  armed,
  bootIdOf,
  evidenceFolder,
  noKernelComplaint,
  places,
  standbyReady,
  storiesOf,
  worksOn,
} from './stories.ts';

const evidence = evidenceFolder('power');
/** Longer than anything here waits for: the helper is never to come so far as to grant. */
const neverMs = 600_000;

let lab: Lab;
let a: Computer;
let b: Computer;
let bootId = '';
let connection: Awaited<ReturnType<Lab['third']['watchConnection']>>;

const story = storiesOf(
  () => lab,
  evidence,
  async () => false,
);

/** A has written the mark and holds a claim, which it has not granted: then its power goes. */
async function cutBeforeGrant(): Promise<void> {
  await armed(a, `source.claim:delay=${neverMs}`);
  const mark = a.serialMark();
  const moving = a.exec('yado migrate b', { timeoutMs: 400_000 });
  moving.catch(() => {}); // nobody answers any more
  await a.waitForSerial(/yado: fault source\.claim:/, { timeoutMs: 300_000, since: mark });
  await a.waitForSerial(/what is left here is marked/, { timeoutMs: 60_000, since: mark });
  await a.kill();
}

/** A starts from its disk, and comes up as a standby. */
async function comesUpAsStandby(): Promise<void> {
  await a.boot();
  await a.waitForSerial(/the standby image is started instead/, { timeoutMs: 180_000 });
  await a.waitForSerial(/standby a at/, { timeoutMs: 240_000 });
}

before(async () => {
  lab = await startLab({ ...product(), say: text => console.log(`# ${text}`) });
  a = lab.computer('a');
  b = lab.computer('b');
  await agentSays(a, /active/, 300_000);
  await standbyReady(b);
  await startWorkload(a);
  bootId = await bootIdOf(a);
  connection = await lab.third.watchConnection(os.address, tickerPort);
});

after(async () => {
  await lab?.down();
});

story('A loses power before the grant: on again it grants the copy at B, and nothing is lost', async () => {
  await cutBeforeGrant();
  await comesUpAsStandby();
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
    await comesUpAsStandby();
    await b.shell('echo written > /root/after; sync /root/after', { timeoutMs: 180_000 });
    await worksOn(b);
  },
);

story('home again, with its programs and its connection', async () => {
  const { code, output } = await b.exec('yado migrate a', { timeoutMs: 400_000 });
  assert.equal(code, 0, output);
  assert.equal(await bootIdOf(a), bootId);
  await worksOn(a);
  const direct = 'for disk in /dev/vd?; do dd if=$disk iflag=direct bs=512 count=1 2>/dev/null; done';
  assert.doesNotMatch(await a.shell(direct), /YADOKARI/, 'no mark is left');
  const report = await connection.stop();
  assert.ok(report.whole, JSON.stringify(report));
  await b.kill();
  await b.boot();
  await standbyReady(b);
});

story(
  'A and B lose power before the grant: B says that it has nothing, A starts the OS by itself',
  async () => {
    await cutBeforeGrant();
    await b.kill();
    await comesUpAsStandby();
    assert.match(await a.shell('yado status', { timeoutMs: 60_000 }), /crab was leaving to b when the power/);
    await b.boot();
    await standbyReady(b);
    await agentSays(a, /active/, 300_000);
    assert.notEqual(await bootIdOf(a), bootId);
    assert.equal(await a.shell('cat /root/after'), 'written\n');
  },
);

story('B is gone for good: a person types yado resume', async () => {
  await cutBeforeGrant();
  await b.kill();
  await comesUpAsStandby();
  const refused = await a.exec('yado resume', { timeoutMs: 60_000 });
  assert.notEqual(refused.code, 0, 'nobody is there to confirm');
  assert.match(refused.output, /two\ncopies/);
  await sleep(5000); // it asks b again and again, and goes on waiting
  assert.match(await a.shell('yado status', { timeoutMs: 60_000 }), /Role +standby/);
  await a.shell('yado resume --yes', { timeoutMs: 60_000 });
  await agentSays(a, /active/, 300_000);
  noKernelComplaint([a]);
  await a.shell('sync', { timeoutMs: 60_000 });
  await a.kill();
  const disk = await a.checkDisk();
  assert.ok(disk.clean, disk.report);
});
