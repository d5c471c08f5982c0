// The OS is at B, its disk at A: A becomes a standby, loses power, gets the OS back; nothing is left behind.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import type { History } from '#core/history.ts';
import { os } from '#lab/os-recipe.ts';
import { waitFor } from '#lab/time.ts';
import { checkWorkload, tickerPort } from '#lab/workload.ts';
import { bootIdOf, deviceRow, json, noKernelComplaint, places, worksOn } from '../stories.ts';
import { a, b, bootId, evidence, lab, story } from './told.ts';

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

story(
  'A loses power: its disk does not start the OS a second time, but a standby that serves it again',
  async () => {
    await a.kill();
    const [mark, since] = [a.serialMark(), b.serialMark()];
    await a.boot('os');
    await a.waitForSerial(/the standby image is started instead[\s\S]*standby a at/, {
      timeoutMs: 240_000,
      since: mark,
    });
    await b.waitForSerial(/disk0: connected to a again/, { timeoutMs: 240_000, since });
    const before = await checkWorkload(b);
    await waitFor(
      'more records',
      async () => ((await checkWorkload(b)).records > before.records ? true : undefined),
      { timeoutMs: 60_000 },
    );
  },
);

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
    'one connection, of the device there was',
    async () =>
      (await b.shell('ls -d /sys/block/nbd*/pid')).trim() === '/sys/block/nbd0/pid' ? true : undefined,
    { timeoutMs: 60_000 },
  );
});

story('the OS goes home: same boot, disk and display direct again', async () => {
  await a.ready();
  const homeward = await lab.third.watchConnection(os.address, tickerPort);
  const moved = await b.exec('yado migrate a', { timeoutMs: 400_000 });
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
