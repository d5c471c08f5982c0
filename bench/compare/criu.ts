// CRIU (Debian's package) moves the workload's tree of processes from one Debian to another with the same files: two
// pre-dumps while it runs, then the dump, its pages through CRIU's page server, the rest as an archive, all in memory; files the
// workload writes go by rsync, once ahead and once while it is stopped.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Computer } from '#lab/computer.ts';
import { errorText, LabError } from '#lab/lab-error.ts';
import { scaled, waitFor } from '#lab/time.ts';
import { measureBound } from './bound.ts';
import { type Move, measure } from './measure.ts';
import type { RunMethod } from './method.ts';
import { addressOf, announce, dropAddress, startPeers, takeAddress } from './peers.ts';
import { evidenceDir, keepBound } from './result.ts';
import type { Workload } from './workloads.ts';

const rounds = [1, 2, 3]; // the last is the dump
const firstPort = 7710;
const restPort = 7720;
const rsyncPort = 7731;

/** Notes how long a command took, in seconds, under a name. */
const timed = (name: string, command: string): string =>
  `read s _ </proc/uptime; ${command} || exit 1; read e _ </proc/uptime; echo "part ${name} $s $e"\n`;

/** Runs on the target: takes the pages, then the rest, and restores. */
const targetText = (): string =>
  rounds
    .map(round => {
      const before = round > 1 ? ` --prev-images-dir ../${round - 1}` : '';
      return `mkdir /mnt/${round}; criu page-server -D /mnt/${round}${before} --port ${firstPort + round} -o server.log &\n`;
    })
    .join('') +
  `/opt/lab/carry receive /mnt/rest.tar ${restPort} || exit 1\nwait\ntar -C /mnt/3 -xf /mnt/rest.tar || exit 1\n` +
  takeAddress + // not announced before the sockets are there: it would refuse their packets
  timed(
    'restore',
    'criu restore -D /mnt/3 -o restore.log --tcp-established --manage-cgroups=ignore --restore-detached',
  ) +
  announce;

/** Runs on the source. `frozen` is what is done while the tree is stopped. */
function sourceText(pid: number, target: string, { files }: Workload): string {
  const common = (round: number): string =>
    `-t ${pid} -D /mnt/${round} -o dump.log --track-mem --page-server --address ${target} --port ${firstPort + round}` +
    (round > 1 ? ` --prev-images-dir ../${round - 1}` : '');
  const ahead = rounds
    .slice(0, -1)
    .map(round => `mkdir /mnt/${round}; criu pre-dump ${common(round)} || exit 1\n`);
  const last = rounds.at(-1)!;
  const sync = files
    ? `rsync -a --delete --port=${rsyncPort} ${files} rsync://${target}/files/ || exit 1\n`
    : '';
  return (
    `${sync}${ahead.join('')}mkdir /mnt/${last}\n` +
    timed(
      'dump',
      `criu dump ${common(last)} --tcp-established --network-lock nftables --manage-cgroups=ignore`,
    ) +
    (sync && timed('files', sync.trim().replace(' || exit 1', ''))) +
    dropAddress +
    timed(
      'carry',
      `tar -C /mnt/${last} -cf /mnt/rest.tar . && /opt/lab/carry send /mnt/rest.tar $(stat -c %s /mnt/rest.tar) ${target} ${restPort}`,
    ) +
    'stat -c "rest %s" /mnt/rest.tar\n'
  );
}

/** Parts in ms by name, from the lines of `timed`. */
const partsOf = (output: string): Record<string, number> =>
  Object.fromEntries(
    [...output.matchAll(/^part (\w+) (\S+) (\S+)$/gm)].map(([, name, start, end]) => [
      name!,
      Math.round((Number(end) - Number(start)) * 1000),
    ]),
  );

async function prepare(from: Computer, to: Computer, { files }: Workload): Promise<void> {
  for (const computer of [from, to]) await computer.shell('rm -rf /mnt/*');
  // A restore leaves high numbers behind; what is started here must not take those of the tree.
  await to.shell('echo 5000 >/proc/sys/kernel/ns_last_pid');
  if (!files) return;
  const config = `uid = root\ngid = root\nuse chroot = no\n[files]\npath = /var/tmp\nread only = no\n`;
  await to.shell(
    `printf '${config}' >/run/rsyncd.conf; pgrep rsync || rsync --daemon --config=/run/rsyncd.conf --port=${rsyncPort}`,
  );
}

const moveTo =
  (from: Computer, to: Computer): Move =>
  async (workload, pid) => {
    const timeoutMs = scaled(300_000);
    const target = to.shell(targetText(), { timeoutMs });
    target.catch(() => {}); // waited for below
    await waitFor(
      `the page servers of ${to.name}`,
      async () => {
        const { output } = await to.exec('ss -Hltn | grep -c ":77[12][0-9] "');
        return Number(output) >= rounds.length + 1 ? true : undefined;
      },
      { timeoutMs: 60_000, everyMs: 200 },
    );
    const start = performance.now();
    const told = await from.shell(sourceText(pid, addressOf(to), workload), { timeoutMs });
    const restored = await target;
    const totalMs = performance.now() - start;
    return {
      partsMs: { ...partsOf(told), ...partsOf(restored) },
      totalMs,
      frozenBytes: Number(/^rest (\d+)$/m.exec(told)?.[1]),
    };
  };

/** Memory that the last dump had to take, by CRIU's own count. */
async function dumpedBytes(from: Computer): Promise<number> {
  const stats = await from.shell(`crit show /mnt/${rounds.at(-1)}/stats-dump`, { timeoutMs: 60_000 });
  const pages = /"pages_written": (\d+)/.exec(stats)?.[1];
  if (pages === undefined) throw new LabError(`CRIU's statistics tell of no pages: ${stats.slice(0, 200)}`);
  return Number(pages) * 4096;
}

/** What went wrong by CRIU's own logs, for a run that failed; the last of them go to the results whole. */
async function lastWords(computer: Computer): Promise<string> {
  const logs = await computer.exec('tail -n +1 /mnt/*/*.log', { timeoutMs: 120_000 });
  writeFileSync(join(evidenceDir, `criu-${computer.name}.log`), logs.bytes);
  const { output } = await computer.exec(
    'for f in /mnt/*/*.log; do echo "== $f"; grep -E "Error|Warn" $f | tail -n 5; done',
  );
  return output;
}

export const runCriu: RunMethod = async (names, { say, keep }) => {
  await using lab = await startPeers(say);
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  keepBound(await measureBound(lab));
  mkdirSync(evidenceDir, { recursive: true });
  const failed: string[] = [];
  for (const [index, name] of names.entries()) {
    if (index > 0) {
      await b.exec(dropAddress);
      await a.shell(takeAddress + announce);
    }
    say(`criu, ${name}: a to b`);
    let tree = 0;
    try {
      const move: Move = async (workload, pid) => {
        tree = pid;
        await prepare(a, b, workload);
        return moveTo(a, b)(workload, pid);
      };
      const result = await measure(lab, a, b, { method: 'criu', workload: name, move });
      const imageBytes = await dumpedBytes(a);
      keep({ ...result, imageBytes, frozenBytes: (result.frozenBytes ?? 0) + imageBytes });
    } catch (error) {
      failed.push(name);
      await lab.evidence(evidenceDir);
      say(`criu, ${name}: ${errorText(error)}\na: ${await lastWords(a)}\nb: ${await lastWords(b)}`);
      for (const computer of [a, b]) await computer.exec(`kill -9 -${tree}; pkill criu; pkill carry`);
    }
  }
  if (failed.length > 0) throw new LabError(`criu did not move: ${failed.join(', ')}`);
};
