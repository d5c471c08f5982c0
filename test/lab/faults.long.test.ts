// Faults on real boots, on one booted pair: the cable out for 5 s at every step, programs and kernels that die, power that
// goes. After each the OS is where docs/faults.md says, once, with its programs, its data and its connection; most moves
// end in a roll back, so that nothing has to be brought home in between.
//
// Walked here, of the table of fault points: the cable at source.preCopy, source.freeze, source.image, source.pages,
// target.ready and, behind GO, copy.arrive and source.claim; target.restore (error, panic), source.pages (crash),
// copy.arrive (crash), copy.claim (lost), source.grant (crash), copy.thaw (crash); power of B at source.image and target.ready.
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
  goesOnAt,
  noKernelComplaint,
  places,
  standbyReady,
  storiesOf,
  thawOfKilledHelper,
  worksOn,
} from './stories.ts';

const evidence = evidenceFolder('faults');
const cutMs = 5000;

let lab: Lab;
let a: Computer;
let b: Computer;
/** The computer that has the OS. */
let at: Computer;
let bootId = '';
let connection: Awaited<ReturnType<Lab['third']['watchConnection']>>;

const story = storiesOf(
  () => lab,
  evidence,
  async () => (await bootIdOf(at)) === bootId,
);

interface Result {
  readonly code: number;
  readonly output: string;
}

/** One move with these faults: on the OS's side (source, copy), and at the target. */
async function move(target: Computer, ofSource: string, ofTarget = ''): Promise<Result> {
  await armed(at, ofSource);
  if (ofTarget) await armed(target, ofTarget);
  return at.exec(`yado migrate ${target.name}`, { timeoutMs: 400_000 });
}

const disarm = (computer: Computer): Promise<string> => computer.shell('rm -f /run/yado/faults');

/** The OS is at A, all of it, and a person has read one clear sentence; nothing is armed there any more. */
async function goesOnAtA(result: Result, sentence: RegExp): Promise<void> {
  await goesOnAt(a, bootId, result, sentence, async () => {
    await disarm(a);
    await worksOn(a);
    assert.deepEqual([...new Set(Object.values(await places(a)))], ['a'], 'the tables are true');
  });
}

/** Pulls the cable of B when the kernel of `where` says that the fault point strikes; false when the move is over before. */
async function cutAt(
  where: Computer,
  point: string,
  since: number,
  moving: Promise<Result>,
): Promise<boolean> {
  const strikes = where
    .waitForSerial(new RegExp(`yado: fault ${point}:`), { timeoutMs: 240_000, since })
    .then(() => true);
  strikes.catch(() => {}); // when the move is over before
  if (!(await Promise.race([strikes, moving.then(() => false)]))) return false;
  await b.cut();
  await sleep(cutMs); // so long the cable is out, whatever happens meanwhile
  await b.heal();
  return true;
}

before(async () => {
  lab = await startLab({ ...product(), say: text => console.log(`# ${text}`) });
  a = lab.computer('a');
  b = lab.computer('b');
  at = a;
  await agentSays(a, /active/, 300_000);
  await standbyReady(b);
  await startWorkload(a);
  bootId = await bootIdOf(a);
  connection = await lab.third.watchConnection(os.address, tickerPort);
});

after(async () => {
  await lab?.down();
});

story(
  'the cable is out for 5 s at every step before GO: it only delays, or the OS goes on at A',
  async () => {
    const steps = [
      [a, 'source.preCopy'],
      [a, 'source.freeze'],
      [a, 'source.image'],
      [a, 'source.pages'],
      [b, 'target.ready'],
    ] as const;
    const marks = new Map([a, b].map(each => [each, each.serialMark()]));
    const late = (computer: Computer): string =>
      steps
        .filter(([where]) => where === computer)
        .map(([, point]) => `${point}:delay=1500`)
        .join(',');
    const moving = move(b, late(a), `${late(b)},target.restore:error`);
    const cut: string[] = [];
    for (const [where, point] of steps)
      if (await cutAt(where, point, marks.get(where) ?? 0, moving)) cut.push(point);
    console.log(`# the cable was out at ${cut.join(', ')}`);
    assert.ok(cut.length > 0);
    await goesOnAtA(await moving, /kernel of b refused the image|connection to b broke|took longer than/);
    await agentSays(b, /waits for an OS/);
    await disarm(b);
  },
);

story("A's helper dies while it sends: the kernel lets the OS go on at A", async () => {
  await goesOnAtA(await move(b, 'source.pages:crash'), /frozen helper ended without a report/);
  await agentSays(b, /waits for an OS/);
});

story('B loses power when it holds the whole image: the OS goes on at A', async () => {
  const mark = b.serialMark();
  const moving = move(b, '', 'target.ready:delay=30000');
  await b.waitForSerial(/yado: fault target\.ready:/, { timeoutMs: 240_000, since: mark });
  await b.kill();
  await goesOnAtA(await moving, /took longer than|connection to b broke/);
  await b.boot();
  await standbyReady(b);
});

story('B loses power while the image is on its way: the OS goes on at A', async () => {
  const mark = a.serialMark();
  const moving = move(b, '');
  await a.waitForSerial(/Image created/, { timeoutMs: 240_000, since: mark });
  await b.kill();
  await goesOnAtA(await moving, /connection to b broke/);
  await b.boot();
  await standbyReady(b);
});

story('no claim of the copy arrives: A takes the OS back by its time-out', async () => {
  await goesOnAtA(await move(b, 'copy.claim:lost=1000000'), /b did not claim the OS within/);
  await b.kill();
  await b.boot();
  await standbyReady(b);
});

story('B panics in the restore: it comes up as a standby, A takes the OS back by itself', async () => {
  const mark = b.serialMark();
  await goesOnAtA(await move(b, '', 'target.restore:panic'), /b did not claim the OS within/);
  await b.waitForSerial(/Kernel panic[\s\S]*standby b at/, { timeoutMs: 240_000, since: mark });
  await standbyReady(b);
});

story('the helper of the copy dies before the grant: B starts anew, and never runs the OS', async () => {
  const mark = b.serialMark();
  await goesOnAtA(await move(b, 'copy.arrive:crash'), /b did not claim the OS within/);
  await b.waitForSerial(/standby b at/, { timeoutMs: 240_000, since: mark });
  await standbyReady(b);
});

story("the cable is out behind GO, and A's helper dies with the grant: the OS moves to B", async () => {
  const mark = b.serialMark();
  const moving = move(b, 'copy.arrive:delay=1500,source.grant:crash');
  assert.ok(await cutAt(b, 'copy.arrive', mark, moving));
  const moved = await moving;
  assert.equal(moved.code, 0, moved.output);
  at = b;
  assert.equal(await bootIdOf(b), bootId);
  await worksOn(b);
  assert.equal((await places(b)).disk0, 'a');
  await assert.rejects(a.exec('true', { timeoutMs: 10_000 }), 'at A nothing answers: one OS runs, at B');
});

story("home again: the cable is out at the claim, the copy's helper dies behind the grant", async () => {
  const mark = b.serialMark();
  const moving = move(a, 'source.claim:delay=1500,copy.thaw:crash');
  assert.ok(await cutAt(b, 'source.claim', mark, moving));
  const moved = await moving;
  assert.equal(moved.code, 0, moved.output);
  at = a;
  await disarm(a);
  assert.equal(await bootIdOf(a), bootId);
  await worksOn(a);
  assert.deepEqual([...new Set(Object.values(await places(a)))], ['a']);
  const report = await connection.stop();
  assert.ok(report.whole, JSON.stringify(report));
});

story('no kernel of the OS complained, the file system is whole', async () => {
  noKernelComplaint([a], thawOfKilledHelper); // that of B was made to panic
  await a.shell('systemctl stop lab-hashchain lab-ticker lab-memcheck lab-cpuloop; sync', {
    timeoutMs: 60_000,
  });
  await a.kill();
  const disk = await a.checkDisk();
  assert.ok(disk.clean, disk.report);
});
