// Printing through the stub, each of the three ways: at the port of the OS's own computer, at a printer that another
// computer lends, across a move, and at a printer in the network that speaks another language.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Computer } from '#lab/computer.ts';
import { startIppPrinter } from '#lab/ipp-printer.ts';
import { scaled, waitFor } from '#lab/time.ts';
import { bootStory } from './boot-story.ts';
import { agentSays, bootIdOf, deviceRow, noKernelComplaint, places } from './stories.ts';

/** CUPS with its backend for printer ports. */
const packages = ['cups', 'cups-client', 'cups-filters'];
const rawBytes = 20_000_000;
const raw = '/root/raw';
/** QEMU's parallel port takes some 85 kB/s. */
const rawMs = 900_000;

const { lab, a, b, bootId, story } = await bootStory('print', { scenario: 'print', include: packages });
await waitFor(
  'the printer stub',
  async () => ((await a.exec('[ -c /dev/usb/lp0 ]')).code === 0 ? true : undefined),
  { timeoutMs: scaled(60_000) },
);
const onPaper = (computer: Computer): Buffer => readFileSync(computer.printerFile);

/** Something prints `page` by `print`; it comes out of the printer of `at`, behind all that is there, and nowhere else. */
async function comesOut(at: Computer, page: string | Buffer, print: () => Promise<unknown>): Promise<void> {
  const others = [a, b].filter(each => each !== at).map(each => [each, onPaper(each)] as const);
  const paper = onPaper(at);
  await print();
  const whole = Buffer.concat([paper, Buffer.from(page)]);
  await waitFor(
    `"${String(page).slice(0, 30)}" on the paper of ${at.name}`,
    async () => (onPaper(at).length >= whole.length ? true : undefined),
    { timeoutMs: scaled(60_000) },
  );
  assert.deepEqual(onPaper(at), whole);
  for (const [other, before] of others) assert.deepEqual(onPaper(other), before, other.name);
}

const printsALine = (from: Computer, at: Computer, line: string): Promise<void> =>
  comesOut(at, `${line}\n`, () => from.shell(`echo '${line}' > /dev/usb/lp0`, { timeoutMs: 60_000 }));

story('a line is printed at A: way 1, direct', async () => {
  assert.equal((await deviceRow(a, 'printer0')).way, 'direct');
  await printsALine(a, a, 'printed at home');
});

story('CUPS prints to the stub as to any printer port', async () => {
  await a.shell('systemctl start cups && lpadmin -p paper -E -v parallel:/dev/usb/lp0 -m raw', {
    timeoutMs: 120_000,
  });
  await a.put(Buffer.from('printed by CUPS\n'), '/root/page');
  await comesOut(a, 'printed by CUPS\n', () => a.shell('lp -d paper /root/page', { timeoutMs: 60_000 }));
});

story('CUPS prints to the stub as to a file', async () => {
  await a.shell(
    "echo 'FileDevice Yes' >> /etc/cups/cups-files.conf && systemctl restart cups && " +
      'lpadmin -p file -E -v file:///dev/usb/lp0 -m raw',
    { timeoutMs: 120_000 },
  );
  const page = Buffer.from(Array.from({ length: 20_000 }, (_, index) => index * 7));
  await a.put(page, '/root/page');
  // CUPS runs no program for a raw job of one file, and then nobody writes to a `file:` queue.
  const print = 'lp -d file -o raw /root/page /root/page';
  await comesOut(a, Buffer.concat([page, page]), () => a.shell(print, { timeoutMs: 60_000 }));
});

story('many programs misuse the stub and are killed meanwhile: none hangs, printing goes on', async () => {
  const paper = onPaper(a);
  const report = await a.shell('/opt/lab/wild /dev/usb/lp0 15', { timeoutMs: 120_000 });
  console.log(`# ${report.trim()}`);
  const [, calls, killed, stuck, errors = ''] =
    /^calls (\d+) killed (\d+) stuck (\d+)(.*)$/.exec(report.trim()) ?? [];
  assert.ok(Number(calls) > 500 && Number(killed) > 20, report);
  assert.equal(stuck, '0');
  const names: readonly string[] = errors.match(/[A-Z]+/g) ?? [];
  // Of docs/printer.md, and what the kernel itself says to wrong pointers and ways of opening.
  assert.deepEqual(
    names.filter(each => !['ENOTTY', 'EIO', 'EBUSY', 'EFAULT', 'EBADF'].includes(each)),
    [],
  );
  assert.ok(names.includes('ENOTTY') && names.includes('EBUSY'), report);
  assert.deepEqual(onPaper(a), paper, 'nothing of it reached the paper');
  await printsALine(a, a, 'printed after all that');
});

story('the printer of B is lent to the OS at A, and given back: way 3, remote', async () => {
  await a.shell('yado lend printer0 --to b', { timeoutMs: 90_000 });
  assert.equal((await places(a)).printer0, 'b');
  assert.equal((await deviceRow(a, 'printer0')).way, 'remote');
  await printsALine(a, b, 'printed far away');
  await a.shell('yado return printer0', { timeoutMs: 90_000 });
  assert.equal((await places(a)).printer0, 'a');
  await printsALine(a, a, 'home again');
});

story('20 MB are being printed while the OS moves to B: all of it at A, once, in order', async () => {
  const sum = await a.shell(`head -c ${rawBytes} /dev/urandom > ${raw}; sha256sum < ${raw}`, {
    timeoutMs: 300_000,
  });
  const start = statSync(a.printerFile).size;
  await a.shell(`systemd-run --quiet --collect --unit=lab-print sh -c 'exec cat ${raw} > /dev/usb/lp0'`);
  const printed = (bytes: number): Promise<boolean> =>
    waitFor(
      `${bytes} bytes on the paper of a`,
      async () => (statSync(a.printerFile).size >= start + bytes ? true : undefined),
      { timeoutMs: scaled(rawMs), everyMs: 500 },
    );
  await printed(rawBytes / 20);
  const moved = await a.exec('yado migrate b', { timeoutMs: 400_000 });
  assert.equal(moved.code, 0, moved.output);
  assert.equal(await bootIdOf(b), bootId);
  assert.ok(statSync(a.printerFile).size < start + rawBytes, 'the move was in mid-job');
  assert.equal((await deviceRow(b, 'printer0')).way, 'remote');
  await printed(rawBytes);
  const job = onPaper(a).subarray(start);
  assert.equal(createHash('sha256').update(job).digest('hex'), sum.split(' ')[0]);
  await printsALine(b, a, 'printed at A from B');
  // The kernel's driver refuses this emulated VMware card: without a picture the OS is as well as with one.
  assert.equal((await deviceRow(b, 'display0')).way, 'lost');
});

story('a printer in the network takes the jobs of the same port: way 2, converted', async () => {
  const folder = join(lab.dir, 'ipp');
  mkdirSync(folder);
  await using printer = await startIppPrinter(lab.third, folder);
  await b.shell(
    `printf '\\n[printer]\\nuri = "${printer.uri}"\\n' >> /etc/yadokari/config.toml && systemctl restart yadod-prepare`,
    { timeoutMs: 120_000 },
  );
  await agentSays(b, /active/);
  await waitFor(
    'the stub before the IPP printer',
    async () => ((await deviceRow(b, 'printer0')).way === 'converted' ? true : undefined),
    { timeoutMs: scaled(60_000) },
  );
  // A shell would make a plain file of the name while there is no device.
  await b.shell('until [ -c /dev/usb/lp0 ]; do sleep 0.2; done', { timeoutMs: 60_000 });
  const paper = onPaper(a);
  // The printer looks at the first bytes and refuses what it does not know.
  const lines = ['%PDF-1.4', ...Array.from({ length: 200 }, (_, index) => `line ${index + 1}`)].join('\n');
  await b.put(Buffer.from(lines), '/root/page');
  await b.shell('cat /root/page > /dev/usb/lp0', { timeoutMs: 60_000 });
  const whole = async (): Promise<true | undefined> =>
    printer.documents()[0]?.length === lines.length ? true : undefined;
  await waitFor('the document', whole, { timeoutMs: scaled(60_000) });
  assert.deepEqual(
    printer.documents().map(each => each.toString()),
    [lines],
  );
  assert.deepEqual(onPaper(a), paper);
});

story('no kernel complained', async () => {
  noKernelComplaint([a, b]);
});
