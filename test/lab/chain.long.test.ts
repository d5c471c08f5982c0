// Office, portable, home: an OS goes from A to B, on to C and back to A, while a person types in an editor on its console,
// a long job is being printed, and its disk and its printer stay at A. One booted set of three computers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Computer } from '#lab/computer.ts';
import { os } from '#lab/os-recipe.ts';
import { waitFor } from '#lab/time.ts';
import { startWorkload, tickerPort } from '#lab/workload.ts';
import { bootStory } from './boot-story.ts';
import {
  agentSays,
  bootIdOf,
  deviceRow,
  itemOf,
  noKernelComplaint,
  places,
  showsStub,
  standbyReady,
  worksOn,
} from './stories.ts';

const letter = '/root/letter';

const told = await bootStory('chain', { scenario: 'chain' });
const { lab, a, b, bootId, story } = told;
const c = lab.computer('c');
await startWorkload(a, { memoryMiB: 30 });
const connection = await lab.third.watchConnection(os.address, tickerPort);
/** What is written on the first console of the OS. */
const consoleText = (): Promise<string> => told.at.shell('cat /dev/vcs1', { timeoutMs: 30_000 });

async function consoleShows(pattern: RegExp): Promise<void> {
  await waitFor(
    `${pattern} on the console`,
    async () => (pattern.test(await consoleText()) ? true : undefined),
    { timeoutMs: 90_000 },
  );
}

const shows = (computer: Computer): Promise<void> => showsStub(computer, told.at);

async function moveTo(target: Computer): Promise<void> {
  const moved = await told.at.exec(`yado migrate ${target.name}`, { timeoutMs: 400_000 });
  assert.equal(moved.code, 0, moved.output);
  told.at = target;
  assert.equal(await bootIdOf(target), bootId);
  await worksOn(target);
}

const lines = 300;
const job = `${Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`).join('')}end\n`;

story('at A a person writes a letter in an editor', async () => {
  await a.key('ctrl-alt-f1');
  await consoleShows(/login:/);
  await a.type('root\n');
  await consoleShows(/:~#/);
  await a.type(`nano ${letter}\n`);
  await consoleShows(/GNU nano/);
  await a.type('Dear reader, this begins at A, ');
  await consoleShows(/begins at A,/);
  await shows(a);
});

story(
  'the agent is killed: the screen and the keyboard go on, it says what must be opened again',
  async () => {
    // A key that is pressed before the kernel has taken the keyboard from the dead process would go with it.
    const agent = (await a.shell('systemctl show -P MainPID yadod')).trim();
    await a.shell(`kill -9 ${agent}; while [ -e /proc/${agent} ]; do sleep 0.1; done`);
    await a.type('whatever happens, ');
    await consoleShows(/begins at A, whatever happens,/);
    await agentSays(a, /active/);
    await waitFor(
      'the stubs of the new agent',
      async () =>
        /must open these/.test(await a.shell('journalctl -u yadod -o cat --no-pager')) &&
        (await a.exec('[ -c /dev/usb/lp0 ]')).code === 0
          ? true
          : undefined,
      { timeoutMs: 60_000 },
    );
    await a.type('it goes on, ');
    await consoleShows(/happens, it goes on,/);
    await shows(a);
  },
);

story('a keyboard is plugged in at A while the OS runs, and pulled out again', async () => {
  const keyboard = 'QEMU USB Keyboard';
  const knows = (isThere: boolean): Promise<boolean> =>
    waitFor(
      `a table ${isThere ? 'with' : 'without'} the ${keyboard}`,
      async () =>
        (await deviceRow(a, 'input0')).actualType.includes(keyboard) === isThere ? true : undefined,
      { timeoutMs: 90_000 },
    );
  // B has no such controller: it stays behind when the OS leaves, and is found again when it comes home.
  await a.monitor('device_add qemu-xhci,id=usb,addr=8');
  await a.monitor('device_add usb-kbd,id=plugged,bus=usb.0');
  await knows(true);
  await a.type('by other keys, ');
  await consoleShows(/it goes on, by other keys,/);
  await a.monitor('device_del plugged');
  await knows(false);
  await a.type('and back, ');
  await consoleShows(/by other keys, and back,/);
});

story('the graphics card is taken away in use: the OS goes on; the picture comes back with it', async () => {
  const is = (way: string): Promise<boolean> =>
    waitFor(
      `a screen that is ${way}`,
      async () => ((await deviceRow(a, 'display0')).way === way ? true : undefined),
      { timeoutMs: 90_000 },
    );
  await a.shell('echo 1 > /sys/bus/pci/devices/0000:00:02.0/remove');
  await is('lost');
  assert.equal((await deviceRow(a, 'display0')).actualType, 'none');
  assert.match(await itemOf(a, 'display0', 'real mode'), /there is no display card/);
  await a.type('blind, ');
  await consoleShows(/blind,/);
  await a.shell('echo 1 > /sys/bus/pci/rescan');
  await is('direct');
  await shows(a);
});

story('a long job is being printed', async () => {
  const print = `exec 3>/dev/usb/lp0; i=0; while [ $i -lt ${lines} ]; do i=$((i + 1)); echo "line $i" >&3; sleep 1; done; echo end >&3`;
  await a.shell(`systemd-run --quiet --collect --unit=lab-print sh -c '${print}'`);
});

story('it goes to B; typing goes on at the keyboard of B, the same picture is on its screen', async () => {
  await moveTo(b);
  await shows(b);
  await b.type('goes on at B, ');
  await consoleShows(/blind, goes on at B,/);
  await shows(b);
  assert.deepEqual(await places(b), {
    display0: 'b',
    input0: 'b',
    network0: 'b',
    disk0: 'a',
    printer0: 'a',
  });
  assert.equal((await deviceRow(b, 'display0')).way, 'converted');
});

story('the screen and the keyboard of C are lent to the OS at B, and given back', async () => {
  await b.shell('yado lend display0 --to c', { timeoutMs: 90_000 });
  await b.shell('yado lend input0 --to c', { timeoutMs: 90_000 });
  const where = await places(b);
  assert.deepEqual([where.display0, where.input0], ['c', 'c']);
  assert.equal((await deviceRow(b, 'display0')).way, 'remote');
  await shows(c);
  await c.type('is written from afar, ');
  await consoleShows(/at B, is written from afar,/);
  const twice = await b.exec('yado lend display0 --to c', { timeoutMs: 60_000 });
  assert.match(twice.output, /display0 is at c already/);
  await b.shell('yado return display0 && yado return input0', { timeoutMs: 90_000 });
  await shows(b);
});

story('a lender that vanishes: the OS is back on its own screen by itself', async () => {
  await b.shell('yado lend display0 --to c', { timeoutMs: 90_000 });
  await c.kill();
  await waitFor(
    'the screen of b to be used again',
    async () => ((await places(b)).display0 === 'b' ? true : undefined),
    { timeoutMs: 120_000 },
  );
  await shows(b);
  await c.boot();
  await standbyReady(c);
});

story('it goes on to C, its disk and its printer still at A; B becomes a standby by itself', async () => {
  const mark = b.serialMark();
  await moveTo(c);
  await shows(c);
  await c.type('comes to C ');
  await consoleShows(/from afar, comes to C/);
  assert.deepEqual(await places(c), {
    display0: 'c',
    input0: 'c',
    network0: 'c',
    disk0: 'a',
    printer0: 'a',
  });
  await b.waitForSerial(/standby b at/, { timeoutMs: 240_000, since: mark });
});

story('it goes home to A, which becomes a standby for it by itself', async () => {
  await moveTo(a);
  await shows(a);
  await a.type('and ends at A.');
  await consoleShows(/comes to C and ends at A\./);
  await a.key('ctrl-o', 'enter');
  await consoleShows(/Wrote 1 line/);
  await a.key('ctrl-x');
  await consoleShows(/:~#/);
  assert.equal(
    await a.shell(`cat ${letter}`),
    'Dear reader, this begins at A, whatever happens, it goes on, by other keys, and back, blind, goes on at B, is written from afar, comes to C and ends at A.\n',
  );
  assert.deepEqual([...new Set(Object.values(await places(a)))], ['a']);
  for (const device of ['disk0', 'printer0', 'display0', 'input0'])
    assert.equal((await deviceRow(a, device)).way, 'direct', device);
});

story('the job was printed whole and once, the connection never broke', async () => {
  await waitFor(
    'the job',
    async () => (readFileSync(a.printerFile).length >= job.length ? true : undefined),
    { timeoutMs: 400_000 },
  );
  assert.equal(readFileSync(a.printerFile, 'latin1'), job);
  const report = await connection.stop();
  assert.ok(report.whole, JSON.stringify(report));
});

story('no kernel complained, the file system is whole', async () => {
  noKernelComplaint([a, b, c]);
  await a.shell('systemctl stop lab-hashchain lab-ticker lab-memcheck lab-cpuloop; sync', {
    timeoutMs: 60_000,
  });
  await a.kill();
  const disk = await a.checkDisk();
  assert.ok(disk.clean, disk.report);
});
