// An OS that uses four fifths of its memory moves, and home again: what the image has no room for goes to a swap file that is
// made for the move, and comes back behind it. A program has filled the memory and verifies every word of it.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { DryRun } from '#core/api.ts';
import type { History } from '#core/history.ts';
import type { Computer } from '#lab/computer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { product } from '#lab/product.ts';
import { waitFor } from '#lab/time.ts';
import {
  agentSays,
  bootIdOf,
  evidenceFolder,
  json,
  noKernelComplaint,
  standbyReady,
  storiesOf,
} from './stories.ts';

const share = 0.8;
const swapFiles = '/var/lib/yadokari/swap-';

let lab: Lab;
let a: Computer;
let b: Computer;
let at: Computer;
let bootId = '';

const story = storiesOf(
  () => lab,
  evidenceFolder('bigmem'),
  async () => (await bootIdOf(at)) === bootId,
);

/** /proc/meminfo in MiB. */
async function memoryOf(computer: Computer): Promise<Record<string, number>> {
  const text = await computer.shell('cat /proc/meminfo', { timeoutMs: 60_000 });
  return Object.fromEntries(
    [...text.matchAll(/^(\S+): +(\d+) kB/gm)].map(([, name, kB]) => [name!, Math.round(Number(kB) / 1024)]),
  );
}

const usedShare = ({ MemTotal, MemAvailable }: Record<string, number>): number =>
  1 - MemAvailable! / MemTotal!;

/** How often the program has been through its memory; it must have found nothing wrong. */
async function passes(): Promise<number> {
  const said = await at.shell('cat /run/memcheck', { timeoutMs: 120_000 });
  const [, done, errors] = /passes (\d+) errors (\d+)/.exec(said) ?? [];
  assert.equal(errors, '0', said);
  return Number(done);
}

/** Fills memory; `pause`: seconds between two looks at all of it. */
async function fill(pause: number): Promise<void> {
  await at
    .shell('systemctl stop lab-memcheck; rm -f /run/memcheck; echo 3 >/proc/sys/vm/drop_caches', {
      timeoutMs: 60_000,
    })
    .catch(() => {});
  const { MemTotal, MemAvailable } = await memoryOf(at);
  const size = Math.floor(MemTotal! * share) - (MemTotal! - MemAvailable!);
  await at.shell(
    `systemd-run --quiet --collect --unit=lab-memcheck --property=Nice=5 /opt/lab/memcheck ${size} ${pause}`,
    { timeoutMs: 60_000 },
  );
  await waitFor('the memory to be full', async () => (await passes().catch(() => 0)) >= 1 || undefined, {
    timeoutMs: 240_000,
  });
  console.log(
    `# ${MemTotal} MiB, ${size} of them filled: ${(usedShare(await memoryOf(at)) * 100).toFixed(0)} % in use`,
  );
}

/** Moves, and verifies all of the memory there. */
async function move(to: Computer): Promise<void> {
  const { code, output } = await at.exec(`yado migrate ${to.name}`, { timeoutMs: 580_000 });
  console.log(`# ${output.replaceAll('\n', '\n# ')}`);
  assert.equal(code, 0, output);
  at = to;
  assert.equal(await bootIdOf(at), bootId);
  const [entry] = await json<History>(at, 'yado history --json');
  console.log(`# ${JSON.stringify(entry)}`);
  console.log(
    `# ${(await at.shell('journalctl -u yadod --no-pager | grep -E "swap|round" | tail -12', { timeoutMs: 60_000 })).replaceAll('\n', '\n# ')}`,
  );
  assert.equal(entry?.outcome, 'moved');
  const before = await passes();
  await waitFor('all of the memory to be verified', async () => (await passes()) >= before + 2 || undefined, {
    timeoutMs: 580_000,
  });
}

/** The swap file comes back into memory and is no more. */
async function swapIsGone(): Promise<void> {
  await waitFor(
    'the swap file to be taken away',
    async () => {
      const found = await at.shell(`cat /proc/swaps; ls ${swapFiles}* 2>/dev/null; true`, {
        timeoutMs: 60_000,
      });
      return found.includes(swapFiles) ? undefined : true;
    },
    { timeoutMs: 580_000, everyMs: 2000 },
  );
  assert.ok(usedShare(await memoryOf(at)) > share - 0.05, 'all is in memory again');
  await passes();
}

before(async () => {
  lab = await startLab({ ...product(), scenario: 'bigmem', say: text => console.log(`# ${text}`) });
  a = lab.computer('a');
  b = lab.computer('b');
  at = a;
  await agentSays(a, /active/, 300_000);
  await standbyReady(b);
  bootId = await bootIdOf(a);
});

after(async () => {
  await lab?.down();
});

story('an OS whose memory is nearly full is told what the move will use', async () => {
  await fill(20);
  assert.ok(usedShare(await memoryOf(a)) > share - 0.03);
  const dry = await json<DryRun>(a, 'yado migrate b --dry-run --json');
  assert.match(
    dry.plan.join('\n'),
    /^make a swap file of \d+ MiB in \/var\/lib\/yadokari\nswap out about \d+ MiB of memory/,
  );
  assert.match(
    dry.checks.find(each => each.id === 'memory-swap')?.text ?? '',
    /will use about \d+ MiB of swap/,
  );
  assert.equal((await a.shell('cat /proc/swaps')).trim().split('\n').length, 1, 'nothing was done yet');
});

story('it moves, every word of its memory is right, and the swap file goes', async () => {
  await move(b);
  await swapIsGone();
});

story('home again, while a program uses all of its memory without a pause', async () => {
  await fill(0);
  await move(a);
  await swapIsGone();
});

story('no kernel complained', async () => {
  noKernelComplaint([a, b]);
});
