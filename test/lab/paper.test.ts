// The scenario of the paper: a running Debian at work on A is refused, cancelled, rolled back, and then moves to B, with
// another graphics card and its disk left at A. One booted pair serves all of it, in the order of a bad day.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import type { History } from '#core/history.ts';
import type { Computer } from '#lab/computer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { os } from '#lab/os-recipe.ts';
import { product } from '#lab/product.ts';
import { waitFor } from '#lab/time.ts';
import { checkWorkload, startWorkload, tickerPort } from '#lab/workload.ts';
import {
  agentSays,
  armed,
  bootIdOf,
  deviceRow,
  evidenceFolder,
  json,
  noKernelComplaint,
  places,
  standbyReady,
  storiesOf,
  worksOn,
} from './stories.ts';

const evidence = evidenceFolder('paper');

let lab: Lab;
let a: Computer;
let b: Computer;
let bootId = '';
let connection: Awaited<ReturnType<Lab['third']['watchConnection']>>;
let probe: Awaited<ReturnType<Lab['third']['probe']>>;
let up = true;

const story = storiesOf(
  () => lab,
  evidence,
  // The next parts need the OS at A; one that failed in its own way leaves it there.
  async () => (await bootIdOf(a)) === bootId,
);

/** `yado migrate b` on A; gives its exit code and words. */
const migrate = (): Promise<{ code: number; output: string }> =>
  a.exec('yado migrate b', { timeoutMs: 240_000 });

/** What must hold after every failure: the OS at A, its programs, its data, and one clear sentence. */
async function goesOnAtA(result: { code: number; output: string }, sentence: RegExp): Promise<void> {
  assert.notEqual(result.code, 0);
  assert.match(result.output, sentence);
  assert.match(result.output, /next: /);
  assert.equal(await bootIdOf(a), bootId);
  await worksOn(a);
  const history = await json<History>(a, 'yado history --json');
  assert.ok(history[0] && history[0].outcome !== 'moved');
  const { returnMs } = history[0];
  if (returnMs !== undefined) {
    console.log(`# back after ${Math.round(returnMs)} ms`);
    assert.ok(returnMs < 5000, 'the OS goes on within 5 s of the decision');
  }
}

/** The OS's clock as the third machine sees it: with it, what `work` does to it can be told. */
async function keepsTime(work: () => Promise<void>): Promise<void> {
  const before = await lab.third.clock(os.address, tickerPort);
  await work();
  const after = await lab.third.clock(os.address, tickerPort);
  const error = Math.abs(after.offsetMs - before.offsetMs);
  const uncertainty = after.uncertaintyMs + before.uncertaintyMs;
  console.log(
    `# clock: ${error.toFixed(1)} ms off, measured to ± ${uncertainty.toFixed(1)} ms; off the host's ${before.offsetMs.toFixed(1)} before, ${after.offsetMs.toFixed(1)} after`,
  );
  assert.ok(error <= 50, 'wall time is right');
}

/** Starts B anew and waits until it can take in an OS. */
async function startAgain(): Promise<void> {
  await b.kill();
  await b.boot();
  await standbyReady(b);
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
  if (up) await lab?.down();
});

story('bad requests are refused by name and change nothing', async () => {
  const unknown = await a.exec('yado migrate nowhere', { timeoutMs: 60_000 });
  assert.equal(unknown.code, 2);
  assert.match(unknown.output, /No computer named nowhere/);
  const onStandby = await b.exec('yado migrate a', { timeoutMs: 60_000 });
  assert.notEqual(onStandby.code, 0);
  assert.match(onStandby.output, /next: /);
  const dry = await a.shell('yado migrate b --dry-run', { timeoutMs: 60_000 });
  assert.match(dry, /Nothing was changed/);
  const doctor = await a.shell('yado doctor --with b', { timeoutMs: 60_000 });
  assert.match(doctor, /^disk0 +remote +a .*\n[\s\S]*The OS can move to b: yado migrate b/m);
  assert.match(await b.shell('yado doctor', { timeoutMs: 60_000 }), /Nothing here keeps this computer/);
  // Of a kind that cannot be swapped out.
  await a.shell(
    'mkdir /run/full && mount -t ramfs full /run/full && head -c 600M /dev/zero >/run/full/fill',
    {
      timeoutMs: 60_000,
    },
  );
  const full = await a.exec('yado migrate b', { timeoutMs: 60_000 });
  await a.shell('umount /run/full && rmdir /run/full');
  assert.equal(full.code, 4, full.output);
  assert.match(full.output, /an image can hold at most .* MiB, and the rest cannot be swapped out: /);
  const cancel = await a.exec('yado cancel', { timeoutMs: 60_000 });
  assert.match(cancel.output, /No migration is under way/);
});

story('garbage on every port stops nobody', async () => {
  for (const [address, port] of [
    ['10.77.0.1', 7400],
    ['10.77.0.2', 7400],
  ] as const) {
    await lab.third.run([
      'sh',
      '-c',
      `head -c 200000 /dev/urandom | timeout 5 nc -N ${address} ${port} >/dev/null; true`,
    ]);
    await lab.third.run([
      'sh',
      '-c',
      `head -c 1000 /dev/urandom | timeout 1 nc -u -w1 ${address} 7401 >/dev/null; true`,
    ]);
  }
  assert.equal((await a.exec('yado status', { timeoutMs: 60_000 })).code, 0);
  assert.equal((await b.exec('yado status', { timeoutMs: 60_000 })).code, 0);
});

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
  await b.slow(40); // as long as a person needs to change their mind
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

story('B is switched off while the image is on its way: the OS goes on at A', async () => {
  const mark = a.serialMark();
  const moving = migrate();
  await a.waitForSerial(/Image created/, { timeoutMs: 120_000, since: mark });
  await b.kill();
  await goesOnAtA(await moving, /connection to b broke/);
  await startAgain();
});

story('the copy on B never claims: A takes the OS back by its time-out', async () => {
  await armed(a, 'copy.claim:lost=1000000');
  await goesOnAtA(await migrate(), /b did not claim the OS within/);
  await startAgain();
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

/** Prints from a program that goes on through whatever happens, a line now and then behind a long job. */
async function printOn(computer: Computer, lines: number): Promise<void> {
  const script = [
    'exec 3>/dev/usb/lp0; seq 1 40000 >&3',
    `i=0; while [ $i -lt ${lines} ]; do i=$((i + 1)); echo "line $i" >&3; sleep 0.2; done`,
  ].join('; ');
  await computer.shell(`systemd-run --quiet --unit=lab-print --collect sh -c '${script}'`);
}
const printedText = (lines: number): string =>
  `${[...Array(40_000).keys()].map(each => each + 1).join('\n')}\n${[...Array(lines).keys()].map(each => `line ${each + 1}\n`).join('')}`;
const linesAcrossMove = 150;

story('programs print at A', async () => {
  await a.shell('echo "page one" > /dev/usb/lp0');
  await waitFor(
    'the page',
    async () => (readFileSync(a.printerFile, 'latin1') === 'page one\n' ? true : undefined),
    {
      timeoutMs: 60_000,
    },
  );
  await printOn(a, linesAcrossMove);
});

story('the OS moves to B while claims and grants are lost three times', async () => {
  probe = await lab.third.probe(os.address, tickerPort);
  await armed(a, 'source.claim:lost=3,source.grant:lost=3');
  await keepsTime(async () => {
    const moved = await migrate();
    assert.equal(moved.code, 0, moved.output);
  });
  assert.equal(await bootIdOf(b), bootId);
  await worksOn(b);
  const connectionReport = await connection.stop();
  assert.ok(connectionReport.whole, JSON.stringify(connectionReport));
  await assert.rejects(a.exec('true', { timeoutMs: 10_000 }), 'at A nothing answers: one OS runs, at B');
});

story('the tables at B show Fig. 6 and Fig. 7', async () => {
  await waitFor(
    'the new card',
    async () =>
      (await json<DeviceStatusRow[]>(b, 'yado devices --json')).some(row => row.actualType.includes('cirrus'))
        ? true
        : undefined,
    { timeoutMs: 60_000 },
  );
  const devices = await json<DeviceStatusRow[]>(b, 'yado devices --json');
  const row = (id: string): DeviceStatusRow => devices.find(each => each.device === id)!;
  assert.match(row('display0').osType, /bochs/);
  assert.equal(row('display0').way, 'converted');
  assert.equal(row('network0').way, 'direct');
  assert.equal(row('disk0').way, 'remote');
  assert.match(row('disk0').actualType, /NBD from a/);
  assert.equal(row('printer0').way, 'remote');
  assert.equal(row('printer0').actualType, 'printer of a');
  assert.deepEqual(await places(b), {
    disk0: 'a',
    display0: 'b',
    input0: 'b',
    network0: 'b',
    printer0: 'a',
  });
});

story('garbage on the ports of a ghost stops nobody', async () => {
  for (const port of [7400, 7402, 10809])
    await lab.third.run([
      'sh',
      '-c',
      `head -c 200000 /dev/urandom | timeout 5 nc -N 10.77.0.1 ${port} >/dev/null; true`,
    ]);
  await worksOn(b);
});

story('what was being printed while the OS moved is printed at A, whole and once', async () => {
  const wanted = `page one\n${printedText(linesAcrossMove)}`;
  await waitFor(
    'the job',
    async () => (readFileSync(a.printerFile).length >= wanted.length ? true : undefined),
    {
      timeoutMs: 240_000,
    },
  );
  assert.equal(readFileSync(a.printerFile, 'latin1'), wanted);
});

story('downtime is reported in parts and as a third machine saw it', async () => {
  const history = await json<History>(b, 'yado history --json');
  const seen = await probe.stop();
  const downtime = history[0]?.downtime;
  assert.ok(
    downtime && downtime.total > 0 && downtime.image > 0 && downtime.send > 0 && downtime.restore > 0,
  );
  assert.ok(seen.downtimeMs > 0);
  writeFileSync(
    join(evidence, 'downtime.json'),
    `${JSON.stringify({ downtime, thirdMachine: seen }, null, 2)}\n`,
  );
  console.log(`# downtime in parts (ms): ${JSON.stringify(downtime)}; third machine: ${seen.downtimeMs} ms`);
});

story('A becomes a standby while the OS uses its disk: programs wait, and go on', async () => {
  const mark = a.serialMark();
  await b.shell('yado standby a', { timeoutMs: 60_000 });
  await a.waitForSerial(/standby a at/, { timeoutMs: 240_000, since: mark });
  const lit = async (): Promise<number> => (await a.pixels()).rgb.filter(each => each > 100).length;
  await waitFor('words on the screen of a', async () => ((await lit()) > 3000 ? true : undefined), {
    timeoutMs: 30_000,
  });
  await a.screenshot(join(evidence, 'a-standby.png'));
  await b.waitForSerial(/disk0: connected to a again/, { timeoutMs: 120_000 });
  const before = await checkWorkload(b);
  await waitFor(
    'more records',
    async () => ((await checkWorkload(b)).records > before.records ? true : undefined),
    { timeoutMs: 60_000 },
  );
});

story('A loses power: its disk does not start the OS a second time, a standby serves it again', async () => {
  await a.kill();
  const mark = a.serialMark();
  await a.boot('os');
  await a.waitForSerial(/must not be started a second time/, { timeoutMs: 180_000, since: mark });
  await a.kill();
  const since = b.serialMark();
  await a.boot('standby');
  await b.waitForSerial(/disk0: connected to a again/, { timeoutMs: 240_000, since });
  const before = await checkWorkload(b);
  await waitFor(
    'more records',
    async () => ((await checkWorkload(b)).records > before.records ? true : undefined),
    { timeoutMs: 60_000 },
  );
});

story('the agent is started anew at B: it knows where the disk is and connects it again', async () => {
  await b.shell('systemctl restart yadod', { timeoutMs: 120_000 });
  const row = await waitFor(
    'the agent',
    async () => {
      const { code, output } = await b.exec('yado devices --json', { timeoutMs: 60_000 });
      return code === 0
        ? (JSON.parse(output) as DeviceStatusRow[]).find(each => each.device === 'disk0')
        : undefined;
    },
    { timeoutMs: 120_000 },
  );
  assert.match(row.actualType, /NBD from a/);
  assert.equal(
    (await json<DeviceStatusRow[]>(b, 'yado devices --json')).find(each => each.device === 'display0')?.way,
    'converted',
  );
  await waitFor(
    'only the new connection',
    async () =>
      (await b.shell('ls -d /sys/block/nbd*/pid')).trim() === '/sys/block/nbd1/pid' ? true : undefined,
    { timeoutMs: 60_000 },
  );
});

story('the OS goes home: same boot, disk and display direct again', async () => {
  await a.ready();
  const homeward = await lab.third.watchConnection(os.address, tickerPort);
  const moved = await b.exec('yado migrate a', { timeoutMs: 240_000 });
  assert.equal(moved.code, 0, moved.output);
  assert.equal(await bootIdOf(a), bootId);
  await worksOn(a);
  const report = await homeward.stop();
  assert.ok(report.whole, JSON.stringify(report));
  assert.deepEqual([...new Set(Object.values(await places(a)))], ['a']);
  assert.equal((await deviceRow(a, 'disk0')).way, 'direct');
  const history = await json<History>(a, 'yado history --json');
  console.log(`# the way home in parts (ms): ${JSON.stringify(history[0]?.downtime)}`);
});

story('no kernel complained, on either side', async () => {
  noKernelComplaint([a, b]);
});

story('the file system is whole', async () => {
  await a.shell('sync', { timeoutMs: 60_000 });
  await a.shell('systemctl stop lab-hashchain lab-ticker lab-memcheck lab-cpuloop; sync', {
    timeoutMs: 60_000,
  });
  await b.kill();
  await a.kill();
  const disk = await a.checkDisk();
  assert.ok(disk.clean, disk.report);
});

story('the lab leaves no process, namespace or mount behind', async () => {
  const space = (await lab.third.run(['readlink', '/proc/self/ns/net'])).output.trim();
  const { dir } = lab;
  up = false;
  await lab.down();
  const processes = readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid);
  for (const pid of processes) {
    const of = { commandLine: '', namespace: '' };
    try {
      of.commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      of.namespace = readlinkSync(`/proc/${pid}/ns/net`);
    } catch {
      continue; // it has just ended
    }
    assert.ok(!of.commandLine.includes(dir) && of.namespace !== space, `left behind: ${of.commandLine}`);
  }
  assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(dir));
  assert.ok(!existsSync(dir));
});
