// QEMU's own live migration, for reference: the emulated computer itself goes from one QEMU to another on the same host,
// over loopback. It runs at the host's speed, beside emulated computers; the disk is shared, nothing of it is carried.
import type { Computer } from '#lab/computer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { errorText, LabError } from '#lab/lab-error.ts';
import { scenarioNamed } from '#lab/scenarios.ts';
import { scaled, waitFor } from '#lab/time.ts';
import { answers, type Move, measure } from './measure.ts';
import { packages, type RunMethod } from './method.ts';

const port = 7700;
/** Emulated, an OS may come over with some of its memory as it was before: tried again, and told. */
const tries = 2;

interface Migration {
  readonly status: string;
  readonly 'total-time'?: number;
  readonly downtime?: number;
  readonly ram?: { readonly transferred: number; readonly 'downtime-bytes'?: number };
  readonly 'error-desc'?: string;
}

const moveTo =
  (lab: Lab, from: Computer): Move =>
  async () => {
    await from.qmp('migrate-set-parameters', { 'max-bandwidth': 10 ** 10 });
    await from.qmp('migrate', { uri: `tcp:127.0.0.1:${port}` });
    const done = await waitFor(
      "QEMU's migration",
      async () => {
        const now = (await from.qmp('query-migrate')) as Migration;
        if (now.status === 'failed') throw new LabError(`QEMU's migration failed: ${now['error-desc']}`);
        return now.status === 'completed' ? now : undefined;
      },
      { timeoutMs: scaled(180_000), everyMs: 100 },
    );
    await answers(lab, 30_000);
    return {
      partsMs: { 'as QEMU says': done.downtime ?? 0 },
      totalMs: done['total-time'] ?? 0,
      wireBytes: done.ram?.transferred ?? 0,
      ...(done.ram?.['downtime-bytes'] !== undefined && { frozenBytes: done.ram['downtime-bytes'] }),
    };
  };

export const runQemu: RunMethod = async (names, { say, keep }) => {
  const { about, computers } = scenarioNamed('peers');
  const [a] = computers;
  if (!a) return;
  const { spareMiB: _, ...rest } = a;
  const spec = { ...rest, threads: true }; // with one thread the OS came over broken
  // The other QEMU must have the same hardware, to the address of the card.
  const pair = { about, computers: [spec, { ...spec, name: 'b' }] };
  await using lab = await startLab({ scenario: pair, include: packages, boot: false, say });
  let [from, to] = [lab.computer('a'), lab.computer('b')];
  const { diskFile } = from;
  // A hub: the guest's own bridge does not tell the lab's that it is now at another port.
  await lab.third.run(['ip', 'link', 'set', 'lab0', 'type', 'bridge', 'ageing_time', '0']);
  const failed: string[] = [];
  for (const workload of names) {
    for (let left = tries; left > 0; left--) {
      if (!from.on) {
        await from.boot('os', { diskFile });
        await from.ready();
      }
      await to.boot('os', { diskFile, incoming: `tcp:127.0.0.1:${port}` });
      say(`qemu, ${workload}: ${from.name} to ${to.name}`);
      const move = moveTo(lab, from);
      const result = await measure(lab, from, to, { method: 'qemu', workload, move }).catch(
        (error: unknown) => say(`qemu, ${workload}: ${errorText(error)}`),
      );
      await from.kill();
      if (result) {
        keep(result);
        [from, to] = [to, from];
        break;
      }
      if (left === 1) failed.push(workload);
      const panic = /Kernel panic.*|.*(?:BUG: |Oops: |general protection).*/.exec(to.serialLog());
      say(`the OS came over broken: ${panic?.[0] ?? 'it does not answer'}`);
      await to.kill();
    }
  }
  if (failed.length > 0) throw new LabError(`QEMU did not move: ${failed.join(', ')}`);
};
