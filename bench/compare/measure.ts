// One run seen from outside, the same for every method: the third machine's probe, the cables' counters, the processors.
import { loadavg } from 'node:os';
import type { Computer } from '#lab/computer.ts';
import type { Lab } from '#lab/lab.ts';
import { LabError } from '#lab/lab-error.ts';
import { os } from '#lab/os-recipe.ts';
import { scaled, waitFor } from '#lab/time.ts';
import { tickerPort } from '#lab/workload.ts';
import type { Result } from './result.ts';
import { endWorkload, paceOf, startWorkload, type Workload, workloads } from './workloads.ts';

/** What a method says of its own run. `wireBytes` only when it does not go over the cables. */
export type Told = Pick<Result, 'partsMs'> &
  Partial<Pick<Result, 'wireBytes' | 'imageBytes' | 'frozenBytes' | 'totalMs' | 'cpuSeconds'>>;

/** A move under way: the workload, its first process, and what the method has to do. */
export type Move = (workload: Workload, pid: number) => Promise<Told>;

/** Bytes through a computer's cable since it was plugged in, both ways. */
async function cableBytes(lab: Lab, computer: Computer): Promise<number> {
  const { output } = await lab.third.run(['ip', '-s', '-j', 'link', 'show', `tap-${computer.name}`]);
  const [link] = JSON.parse(output) as { stats64: { rx: { bytes: number }; tx: { bytes: number } } }[];
  if (!link) throw new LabError(`computer ${computer.name} has no cable`);
  return link.stats64.rx.bytes + link.stats64.tx.bytes;
}

const cpuOf = (computers: readonly Computer[]): number =>
  computers.reduce((sum, each) => sum + (each.on ? each.cpuSeconds() : 0), 0);

/** Waits until the OS, or what moved of it, answers the third machine again: then the gap is over. */
export async function answers(lab: Lab, timeoutMs = 300_000): Promise<void> {
  await waitFor(
    'an answer of what was moved',
    () =>
      lab.third.clock(os.address, tickerPort).then(
        () => true as const,
        () => undefined,
      ),
    { timeoutMs: scaled(timeoutMs) },
  );
}

/** Measures one move from `from` to `to` under a workload; the workload is ended afterwards. */
export async function measure(
  lab: Lab,
  from: Computer,
  to: Computer,
  { method, workload: name, move }: { method: string; workload: string; move: Move },
): Promise<Result> {
  const workload = workloads[name]!;
  const pid = await startWorkload(from, workload);
  const pace = await paceOf(from, workload);
  const hostLoad = loadavg()[0]!;
  await using probe = await lab.third.probe(os.address, tickerPort);
  const bytesBefore = await cableBytes(lab, to);
  const cpuBefore = cpuOf([from, to]);
  const start = performance.now();
  const told = await move(workload, pid);
  await answers(lab);
  const totalMs = performance.now() - start;
  const cpuSeconds = cpuOf([from, to]) - cpuBefore;
  const wireBytes = (await cableBytes(lab, to)) - bytesBefore;
  const seen = await probe.stop();
  await checkAlive(to, workload, pid);
  await endWorkload(to, pid, workload);
  return {
    method,
    workload: name,
    measuredAt: new Date().toISOString(),
    ramMiB: from.spec.ramMiB,
    downtimeMs: seen.downtimeMs,
    connectionLost: seen.tcp.connectionLost,
    totalMs,
    wireBytes,
    cpuSeconds,
    pace,
    hostLoad,
    ...told,
  };
}

/** All of the tree's programs must still be there, and tell of their pace. */
async function checkAlive(on: Computer, { commands, status }: Workload, pid: number): Promise<void> {
  const alive = `[ $(pgrep -c -s ${pid}) -ge ${commands.length + 2} ]${status ? ` && [ -s ${status.file} ]` : ''}`;
  await waitFor(
    `all of the workload on ${on.name}`,
    async () => ((await on.exec(alive)).code === 0 ? true : undefined),
    { timeoutMs: 20_000 },
  );
}
