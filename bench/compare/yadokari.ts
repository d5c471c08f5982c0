// Yadokari, copying ahead or not: the OS goes from computer to computer, each of them freshly started, so that every run is
// a first visit. Its disk stays with A.
import { agentReady } from '#lab/agent-ready.ts';
import type { Computer } from '#lab/computer.ts';
import { startLab } from '#lab/lab.ts';
import { product } from '#lab/product.ts';
import { scenarioNamed } from '#lab/scenarios.ts';
import { scaled } from '#lab/time.ts';
import { lastMove } from '../figures.ts';
import { type Move, measure, type Told } from './measure.ts';
import { packages, type RunMethod, type Surroundings } from './method.ts';
import { evidenceDir } from './result.ts';
import { workloads } from './workloads.ts';

/** One run: how, and under which workload. */
export interface Visit {
  readonly method: string;
  readonly workload: string;
}

const options: Readonly<Record<string, string>> = { yadokari: '', 'stop-and-copy': ' --stop-and-copy' };

/** Goes on until all visits are made: as many in one boot as there are computers with the same RAM. */
export async function runVisits(visits: readonly Visit[], around: Surroundings): Promise<void> {
  const left = [...visits];
  while (left.length > 0) {
    const { ramMiB } = workloads[left[0]!.workload]!;
    const trip = left.filter(each => workloads[each.workload]!.ramMiB === ramMiB).slice(0, 4);
    await runTrip(trip, ramMiB, around);
    for (const visit of trip) left.splice(left.indexOf(visit), 1);
  }
}

async function runTrip(trip: readonly Visit[], ramMiB: number, { say, keep }: Surroundings): Promise<void> {
  const { about, computers } = scenarioNamed('many');
  const wanted = computers.slice(0, trip.length + 1).map(each => ({ ...each, ramMiB }));
  await using lab = await startLab({
    ...product(say),
    scenario: { about, computers: wanted },
    include: packages,
    boot: false,
    say,
  });
  const [home, first] = lab.computers;
  if (!home || !first) return;
  try {
    await Promise.all([powerOn(home), powerOn(first)]);
    for (const [index, { method, workload }] of trip.entries()) {
      const [from, to] = [lab.computers[index]!, lab.computers[index + 1]!];
      if (!to.on) await powerOn(to);
      say(`${method}, ${workload}: ${from.name} to ${to.name}`);
      const move: Move = async () => {
        await from.shell(`yado migrate ${to.name}${options[method]}`, { timeoutMs: scaled(600_000) });
        return { partsMs: {} };
      };
      const result = await measure(lab, from, to, { method, workload, move });
      keep({ ...result, ...toldBy(await lastMove(to)) });
      if (from !== home) await from.kill(); // has nothing to serve, and costs the host time
    }
  } catch (error) {
    await lab.evidence(evidenceDir);
    throw error;
  }
}

async function powerOn(computer: Computer): Promise<void> {
  await computer.boot();
  await computer.ready();
  await agentReady(computer);
}

function toldBy({ downtime, report }: Awaited<ReturnType<typeof lastMove>>): Told {
  const { total: _, ...partsMs } = downtime;
  return {
    partsMs,
    imageBytes: report.pages * 4096,
    frozenBytes: report.wireBytes - report.preCopyBytes,
  };
}

export const runYadokari =
  (method: string): RunMethod =>
  (names, around) =>
    runVisits(
      names.map(workload => ({ method, workload })),
      around,
    );
