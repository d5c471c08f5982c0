// A printer that is plugged into USB while the OS runs, has no paper when the OS leaves, and is pulled out behind it: it
// prints all, once, in order, at the OS's computer, from B, by the ghost and by the standby after it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after } from 'node:test';
import type { Computer } from '#lab/computer.ts';
import { scaled, waitFor } from '#lab/time.ts';
import { type UsbPrinter, usbPrinterAt } from '#lab/usb-printer.ts';
import { bootStory } from './boot-story.ts';
import {
  bootIdOf,
  deviceRow,
  itemOf,
  noKernelComplaint,
  places,
  showsStub,
  standbyReady,
} from './stories.ts';

const rawBytes = 2_000_000;

const { lab, a, b, bootId, story } = await bootStory('usb', { scenario: 'usb' });
const printer: UsbPrinter = await usbPrinterAt(a, lab.dir);
after(() => printer.unplug());
const printed = (bytes: number): Promise<true> =>
  waitFor(
    `${bytes} bytes on paper`,
    async () => (printer.paper.length >= bytes ? (true as const) : undefined),
    { timeoutMs: scaled(120_000) },
  );

const statusIs = (at: Computer, words: RegExp): Promise<true> =>
  waitFor(
    `a printer that is ${words}`,
    async () => (words.test(await itemOf(at, 'printer0', 'status')) ? (true as const) : undefined),
    { timeoutMs: scaled(60_000) },
  );

const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A line from the OS at `from` comes out, behind all that is on paper. */
async function printsALine(from: Computer, line: string): Promise<void> {
  const wanted = `${printer.paper.toString('latin1')}${line}\n`;
  await from.shell(`echo '${line}' > /dev/usb/lp0`, { timeoutMs: 60_000 });
  await printed(wanted.length);
  assert.equal(sum(printer.paper), sum(Buffer.from(wanted, 'latin1')));
}

story('a printer is plugged in while the OS runs: programs have a port, and it prints', async () => {
  assert.ok(!('printer0' in (await places(a))));
  await printer.plugIn();
  const row = await waitFor(
    'printer0',
    async () => ('printer0' in (await places(a)) ? deviceRow(a, 'printer0') : undefined),
    { timeoutMs: scaled(60_000) },
  );
  assert.equal(row.way, 'direct');
  assert.match(row.actualType, /^printer at \/dev\/usb\/lp/);
  await a.shell('until [ -c /dev/usb/lp0 ]; do sleep 0.2; done', { timeoutMs: 60_000 });
  await printsALine(a, 'printed at home');
});

story('unplugged, it is off, and jobs are kept until it is plugged in again', async () => {
  printer.unplug();
  await a.shell("echo 'printed when it is back' > /dev/usb/lp0", { timeoutMs: 60_000 });
  await statusIs(a, /off|away/);
  const before = printer.paper.length;
  await printer.plugIn();
  await printed(before + 'printed when it is back\n'.length);
  assert.ok(printer.paper.toString('latin1').endsWith('home\nprinted when it is back\n'));
  await statusIs(a, /ready/);
});

story('it has no paper when the OS leaves: what was begun at A is printed at A, whole and once', async () => {
  const start = printer.paper.length;
  const [wanted] = (
    await a.shell(`head -c ${rawBytes} /dev/urandom > /root/raw; sha256sum < /root/raw`, {
      timeoutMs: 120_000,
    })
  ).split(' ');
  printer.load(rawBytes / 20);
  await a.shell("systemd-run --quiet --collect --unit=lab-print sh -c 'exec cat /root/raw > /dev/usb/lp0'");
  await printed(start + rawBytes / 20);
  await statusIs(a, /paper/);
  const moved = await a.exec('yado migrate b', { timeoutMs: 400_000 });
  assert.equal(moved.code, 0, moved.output);
  assert.equal(await bootIdOf(b), bootId);
  assert.equal((await deviceRow(b, 'printer0')).way, 'remote');
  assert.ok(printer.paper.length < start + rawBytes, 'the move was in mid-job');
  await statusIs(b, /paper/);
  await showsStub(b, b);
  printer.load();
  await printed(start + rawBytes);
  assert.equal(sum(printer.paper.subarray(start)), wanted);
  await printsALine(b, 'printed at A from B');
});

story('it is pulled out of A behind the OS, and plugged in again', async () => {
  printer.unplug();
  await b.shell("echo 'kept at B' > /dev/usb/lp0", { timeoutMs: 60_000 });
  await statusIs(b, /off|away/);
  const before = printer.paper.length;
  await printer.plugIn();
  await printed(before + 'kept at B\n'.length);
  assert.ok(printer.paper.toString('latin1').endsWith('from B\nkept at B\n'));
});

story('A becomes a standby, which finds the printer and prints for B', async () => {
  const mark = a.serialMark();
  await b.shell('yado standby a', { timeoutMs: 60_000 });
  await a.waitForSerial(/standby a at/, { timeoutMs: 240_000, since: mark });
  await printsALine(b, 'printed by the standby');
});

story('the OS goes home to its printer', async () => {
  await standbyReady(a);
  const moved = await b.exec('yado migrate a', { timeoutMs: 400_000 });
  assert.equal(moved.code, 0, moved.output);
  assert.equal(await bootIdOf(a), bootId);
  assert.equal((await deviceRow(a, 'printer0')).way, 'direct');
  await printsALine(a, 'home again');
});

story('no kernel complained', async () => {
  noKernelComplaint([a, b]);
});
