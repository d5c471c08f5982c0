// `npm run endless [-- MOVES]`: the OS goes to and fro between two computers in the lab, 50 times unless told otherwise, with
// a redis-server under load that writes each record to the disk before it acknowledges it. Prints a row for each move and
// writes lab/out/endless.json. Ends with an error when data is wrong, the OS is another one, something is left over
// after each move, or the downtime grows.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from '#core/history.ts';
import type { Computer } from '#lab/computer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { errorText, LabError } from '#lab/lab-error.ts';
import { os } from '#lab/os-recipe.ts';
import { repositoryDir } from '#lab/paths.ts';
import { product } from '#lab/product.ts';
import { waitFor } from '#lab/time.ts';

const port = 6379;
const server = `redis-server --port ${port} --bind 0.0.0.0 --protected-mode no --dir /var/lib/endless --appendonly yes --appendfsync always`;

/** What must not grow from move to move. By name, shell words that print one number. */
const leftovers: Readonly<Record<string, string>> = {
  'agent fds': 'ls /proc/$(systemctl show -P MainPID yadod)/fd | wc -l',
  'agent KiB':
    "sed -n 's/^RssAnon:[[:space:]]*\\([0-9]*\\).*/\\1/p' /proc/$(systemctl show -P MainPID yadod)/status",
  processes: 'ls -d /proc/[0-9]* | wc -l',
  'NBD devices': 'ls /sys/block/nbd*/pid 2>/dev/null | wc -l',
  'mapped devices': 'dmsetup ls | grep -c yado',
  namespaces: 'readlink /proc/[0-9]*/ns/net | sort -u | wc -l',
  'PCI devices': 'ls /sys/bus/pci/devices | wc -l',
  mounts: 'wc -l < /proc/mounts',
  'slab KiB': "sed -n 's/^SUnreclaim: *\\([0-9]*\\).*/\\1/p' /proc/meminfo",
};

interface Row {
  readonly move: number;
  readonly to: string;
  /** From the command to its end, and the OS's standstill by its history. */
  readonly seconds: number;
  readonly downtimeSeconds: number;
  readonly sentBytes: number;
  readonly left: Readonly<Record<string, number>>;
}

async function leftOn(computer: Computer): Promise<Record<string, number>> {
  const words = Object.values(leftovers).map(command => `echo $(${command})`);
  const lines = (await computer.shell(words.join('; '), { timeoutMs: 60_000 })).trim().split('\n');
  return Object.fromEntries(Object.keys(leftovers).map((name, at) => [name, Number(lines[at])]));
}

async function standsBy(computer: Computer): Promise<void> {
  await waitFor(
    `${computer.name} to be a standby`,
    async () => (/standby/.test((await computer.exec('yado status')).output) ? true : undefined),
    { timeoutMs: 240_000 },
  );
}

async function moveOnce(from: Computer, to: Computer, move: number): Promise<Row> {
  const startedAt = performance.now();
  await from.shell(`yado migrate ${to.name}`, { timeoutMs: 600_000 });
  const seconds = (performance.now() - startedAt) / 1000;
  const [entry] = JSON.parse(await to.shell('yado history --json', { timeoutMs: 60_000 })) as History;
  if (entry?.outcome !== 'moved' || !entry.downtime)
    throw new LabError(`move ${move}: the history of ${to.name} tells of no move`);
  return {
    move,
    to: to.name,
    seconds,
    downtimeSeconds: entry.downtime.total / 1000,
    sentBytes: entry.bytesSent,
    left: await leftOn(to),
  };
}

const line = ({ move, to, seconds, downtimeSeconds, sentBytes, left }: Row): string =>
  [
    String(move).padStart(3),
    to,
    `${seconds.toFixed(1)} s`,
    `down ${downtimeSeconds.toFixed(1)} s`,
    `${(sentBytes / 1e6).toFixed(0)} MB`,
    ...Object.entries(left).map(([name, value]) => `${name} ${value}`),
  ].join('  ');

const middleOf = (values: readonly number[]): number =>
  values.toSorted((x, y) => x - y)[Math.floor(values.length / 2)] ?? 0;

/**
 * The middles of the first third of the moves to a computer and of the last; undefined when there are too few. One move says
 * little: a heap has garbage in it or has just been swept, and the first moves fill what stays filled.
 */
function thirdsOf(
  rows: readonly Row[],
  computer: string,
  of: (row: Row) => number,
): readonly [before: number, after: number] | undefined {
  const values = rows.filter(row => row.to === computer).map(of);
  const third = Math.floor(values.length / 3);
  return third < 3 ? undefined : [middleOf(values.slice(0, third)), middleOf(values.slice(-third))];
}

/** What there is more of in the last third of the moves than in the first, beyond noise. */
function grown(rows: readonly Row[], computer: string): string[] {
  return Object.keys(leftovers).flatMap(name => {
    const [before, after] = thirdsOf(rows, computer, row => row.left[name] ?? 0) ?? [0, 0];
    const noise = Math.max(2, name.endsWith('KiB') ? before * 0.3 : before * 0.05);
    return after > before + noise ? [`${name} (${before} to ${after})`] : [];
  });
}

/** Whether the OS stands still longer in the last third than in the first, beyond noise. */
function slower(rows: readonly Row[], computer: string): string[] {
  const [before, after] = thirdsOf(rows, computer, row => row.downtimeSeconds) ?? [0, 0];
  return after > before * 1.5 ? [`downtime (${before.toFixed(1)} to ${after.toFixed(1)} s)`] : [];
}

async function run(lab: Lab, moves: number, say: (text: string) => void): Promise<Row[]> {
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  await a.shell(
    `systemctl stop redis-server; mkdir -p /var/lib/endless; systemd-run --quiet --unit=lab-redis ${server}`,
  );
  await waitFor(
    'redis-server',
    async () => ((await a.exec(`redis-cli -p ${port} ping`)).output.includes('PONG') ? true : undefined),
    { timeoutMs: 60_000 },
  );
  const bootId = await a.shell('cat /proc/sys/kernel/random/boot_id');
  await using client = await lab.third.useRedis(os.address, port);
  const rows: Row[] = [];
  for (let move = 1; move <= moves; move++) {
    const [from, to] = move % 2 === 1 ? [a, b] : [b, a];
    // A has the disk and is woken by the move; B has nothing to serve and is on its way to being a standby by itself.
    if (to === b) await standsBy(b);
    const row = await moveOnce(from, to, move);
    rows.push(row);
    say(line(row));
    if ((await to.shell('cat /proc/sys/kernel/random/boot_id')) !== bootId)
      throw new LabError(`move ${move}: ${to.name} runs another OS`);
  }
  const report = await client.stop();
  say(`redis: ${report.writes} acknowledged writes, longest silence ${report.longestSilenceMs} ms`);
  if (!report.whole) throw new LabError(`redis: ${report.faults.join('; ')}`);
  const home = moves % 2 === 0 ? a : b;
  await home.shell('systemctl stop lab-redis; redis-check-aof /var/lib/endless/appendonlydir/*.manifest', {
    timeoutMs: 120_000,
  });
  for (const each of [a, b]) {
    const complaint = /.*(?:WARNING: |BUG: |Oops|Call Trace).*/.exec(each.serialLog());
    if (complaint) throw new LabError(`the kernel of ${each.name} complained: ${complaint[0]}`);
    const names = [...grown(rows, each.name), ...slower(rows, each.name)];
    if (names.length > 0) throw new LabError(`has grown at ${each.name}: ${names.join(', ')}`);
  }
  return rows;
}

async function endless(moves: number): Promise<void> {
  if (!Number.isSafeInteger(moves) || moves < 1)
    throw new LabError('the number of moves is not a number', 'npm run endless -- 50');
  const say = (text: string): void => console.log(text);
  await using lab = await startLab({ ...product(say), include: ['redis-server', 'redis-tools'], say });
  const out = join(repositoryDir, 'lab', 'out');
  mkdirSync(out, { recursive: true });
  try {
    writeFileSync(join(out, 'endless.json'), `${JSON.stringify(await run(lab, moves, say), null, 2)}\n`);
  } catch (error) {
    await lab.evidence(join(out, 'endless'));
    throw error;
  }
}

endless(Number(process.argv[2] ?? 50)).catch((error: unknown) => {
  console.error(`endless: ${errorText(error)}`);
  process.exitCode = 1;
});
