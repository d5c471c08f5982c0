// The story once, told as it happens: two computers, a Debian at work on A, the move to B, what a user would notice.
// `npm run demo`. Leaves screenshots and downtime.json in lab/out. Uses the lab as a test does.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from '#core/history.ts';
import type { Computer } from './computer.ts';
import { type Lab, startLab } from './lab.ts';
import { errorText, LabError } from './lab-error.ts';
import { os } from './os-recipe.ts';
import { repositoryDir } from './paths.ts';
import { product } from './product.ts';
import { waitFor } from './time.ts';
import { checkWorkload, startWorkload, tickerPort } from './workload.ts';

const out = join(repositoryDir, 'lab', 'out');

function tell(text: string): void {
  console.log(`\n» ${text}`);
}

/** Shows what a command prints inside. */
async function show(lab: Lab, computer: string, command: string, timeoutMs = 60_000): Promise<string> {
  const output = await lab.computer(computer).shell(command, { timeoutMs });
  console.log(`  ${computer}# ${command}\n${output.trimEnd().replace(/^/gm, '  ')}`);
  return output;
}

/** Waits for what is written on the console of the OS. */
async function onConsole(computer: Computer, pattern: RegExp): Promise<void> {
  await waitFor(
    `${pattern} on the console`,
    async () => (pattern.test(await computer.shell('cat /dev/vcs1')) ? true : undefined),
    { timeoutMs: 90_000 },
  );
}

/** Of the sixty lines on paper, when all are there in their order. */
function lastLine(paper: string): string | undefined {
  const wanted = Array.from({ length: 60 }, (_, index) => `line ${index + 1}\n`).join('');
  return readFileSync(paper, 'latin1') === wanted ? 'line 1 … line 60' : undefined;
}

/** Tells the story. @throws LabError when any part of it does not hold. */
export async function demo(): Promise<void> {
  mkdirSync(out, { recursive: true });
  tell('Two computers are switched on: A with a Debian on its disk, B with nothing but the standby image.');
  const say = (text: string): void => console.log(`  ${text}`);
  await using lab = await startLab({ ...product(say), say });
  try {
    tell('Debian works on A: it writes, computes, checks its memory and talks to a third machine.');
    const a = lab.computer('a');
    const b = lab.computer('b');
    await startWorkload(a);
    await using connection = await lab.third.watchConnection(os.address, tickerPort);
    await using probe = await lab.third.probe(os.address, tickerPort);
    const boot = await show(lab, 'a', 'cat /proc/sys/kernel/random/boot_id');
    await show(lab, 'a', 'yado devices; yado where');
    tell('Somebody writes a letter at the keyboard of A, and a long text is being printed on its printer.');
    await a.key('ctrl-alt-f1');
    await a.type('root\n');
    await onConsole(a, /:~#/);
    await a.type('nano letter\n');
    await onConsole(a, /GNU nano/);
    await a.type('Dear reader, this begins at A ');
    await onConsole(a, /begins at A/);
    const print = 'for i in $(seq 60); do echo "line $i"; sleep 1; done';
    await show(lab, 'a', `systemd-run --quiet --unit=print sh -c '(${print}) > /dev/usb/lp0'`);
    await a.screenshot(join(out, 'a-before.png'));
    await b.screenshot(join(out, 'b-before.png'));
    tell('It moves to B, running: yado migrate b');
    await show(lab, 'a', 'yado migrate b', 300_000);
    tell('It is on B now. The same system, its disk still at A:');
    const after = await show(lab, 'b', 'cat /proc/sys/kernel/random/boot_id');
    tell('The letter goes on at the keyboard of B, on the screen of B, another graphics card.');
    await b.type('and goes on at B');
    await onConsole(b, /begins at A and goes on at B/);
    await show(lab, 'b', 'yado devices; yado where; yado history');
    tell('What was being printed comes out of the printer of A, whole and once.');
    const printed = await waitFor('the last line', async () => lastLine(a.printerFile), {
      timeoutMs: 300_000,
    });
    console.log(`  ${printed}`);
    await b.screenshot(join(out, 'b-after.png'));
    await a.screenshot(join(out, 'a-after.png'));
    const work = await checkWorkload(b);
    const [entry] = JSON.parse(await b.shell('yado history --json')) as History;
    const seen = {
      downtime: await probe.stop(),
      parts: entry?.downtime,
      connection: await connection.stop(),
      work,
    };
    writeFileSync(join(out, 'downtime.json'), `${JSON.stringify(seen, null, 2)}\n`);
    console.log(`  ${work.records} records written, ${work.memoryErrors + work.cpuErrors} errors`);
    console.log(`  the TCP connection ${seen.connection.whole ? 'went on, nothing lost' : 'BROKE'}`);
    console.log(`  downtime seen by the third machine: ${seen.downtime.downtimeMs} ms`);
    if (boot !== after || !seen.connection.whole || work.memoryErrors + work.cpuErrors > 0) {
      throw new LabError('the story does not hold', `look into ${out}`);
    }
    tell(`Screenshots and figures are in ${out}.`);
  } catch (error) {
    await lab.evidence(out);
    throw error;
  }
}

if (import.meta.main) {
  demo().catch((error: unknown) => {
    console.error(`demo: ${errorText(error)}`);
    if (error instanceof LabError && error.hint !== '') console.error(`  try: ${error.hint}`);
    process.exitCode = 1;
  });
}
