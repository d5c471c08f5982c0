// The move to B, while programs print and messages are lost; what the tables say there, and what it took.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import type { History } from '#core/history.ts';
import type { Computer } from '#lab/computer.ts';
import { os } from '#lab/os-recipe.ts';
import { waitFor } from '#lab/time.ts';
import { tickerPort } from '#lab/workload.ts';
import { armed, bootIdOf, json, places, worksOn } from '../stories.ts';
import { a, b, bootId, connection, evidence, keepsTime, lab, migrate, story } from './told.ts';

let probe: Awaited<ReturnType<typeof lab.third.probe>>;

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
