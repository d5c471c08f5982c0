// The stock way: Debian hibernates into its swap disk and switches A off; A is started from a rescue system that sends
// what was written to B, which waits in the same rescue system; B is started and resumes. The root disk is not carried and not
// counted: B is given A's, as if it had lain on a network disk.
import { statSync } from 'node:fs';
import { carried, carrierCommandLine, carrierImage } from '#lab/carrier.ts';
import type { Computer } from '#lab/computer.ts';
import { osCommandLine } from '#lab/computer-spec.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { scenarioNamed } from '#lab/scenarios.ts';
import { scaled, waitFor } from '#lab/time.ts';
import { answers, type Move, measure } from './measure.ts';
import { packages, type RunMethod } from './method.ts';
import { addressOf } from './peers.ts';
import { evidenceDir } from './result.ts';

const port = '7730';
const spare = '/dev/vdb';

/** Waits until a computer has switched itself off; gives the processor time it had taken until then. */
async function off(computer: Computer): Promise<number> {
  let cpu = 0;
  await waitFor(
    `${computer.name} to switch itself off`,
    () => {
      try {
        if (computer.on) cpu = computer.cpuSeconds();
      } catch {
        // it has just ended
      }
      return computer.on ? undefined : true;
    },
    { timeoutMs: scaled(240_000), everyMs: 20 },
  );
  return cpu;
}

const moveTo =
  (lab: Lab, from: Computer, to: Computer): Move =>
  async () => {
    let mark = performance.now();
    const partsMs: Record<string, number> = {};
    const part = (name: string): void => {
      const now = performance.now();
      partsMs[name] = now - mark;
      mark = now;
    };
    const before = from.cpuSeconds();
    await from.shell(
      `mkswap ${spare} && swapon ${spare} && echo shutdown >/sys/power/disk && ` +
        '(setsid sh -c "sleep 1; echo disk >/sys/power/state" </dev/null >/dev/null 2>&1 &)',
    );
    mark = performance.now();
    let cpuSeconds = (await off(from)) - before;
    part('hibernate');
    const pages = Number(/Image created \((\d+) pages copied/.exec(from.serialLog())?.[1]);
    // From its start the swap disk is written without holes: a swap area that is empty and does not say it is an SSD.
    const bytes = Math.ceil(statSync(from.spareFile).blocks / 2048 + 4) * 2 ** 20;
    const since = from.serialMark();
    await from.boot('standby', {
      commandLine: carrierCommandLine(from.spec.address, ['send', spare, String(bytes), addressOf(to), port]),
    });
    await from.waitForSerial(/carrier: ready/, { since });
    part('rescue system');
    await from.waitForSerial(carried, { since });
    cpuSeconds += await off(from);
    cpuSeconds += await off(to);
    part('carry');
    await to.boot('os', {
      diskFile: from.diskFile,
      commandLine: osCommandLine({ setAside: false }, '/dev/vda', [`resume=${spare}`]),
    });
    await answers(lab);
    return {
      partsMs,
      imageBytes: pages * 4096,
      frozenBytes: bytes,
      cpuSeconds: cpuSeconds + to.cpuSeconds(),
    };
  };

export const runHibernate: RunMethod = async (names, { say, keep }) => {
  const standby = await carrierImage();
  for (const workload of names) {
    // B has A's hardware: the kernel that resumes must find the memory map as it was.
    await using lab = await startLab({
      scenario: scenarioNamed('peers'),
      standby,
      include: packages,
      boot: false,
      say,
    });
    const [from, to] = [lab.computer('a'), lab.computer('b')];
    try {
      await from.boot();
      await from.ready();
      say(`hibernate, ${workload}: a to b`);
      await to.boot('standby', {
        commandLine: carrierCommandLine(to.spec.address, ['receive', spare, port]),
      });
      await to.waitForSerial(/carrier: ready/);
      const result = await measure(lab, from, to, {
        method: 'hibernate',
        workload,
        move: moveTo(lab, from, to),
      });
      const known = Object.values(result.partsMs).reduce((sum, ms) => sum + ms, 0);
      keep({ ...result, partsMs: { ...result.partsMs, resume: result.downtimeMs - known } });
    } catch (error) {
      await lab.evidence(evidenceDir);
      throw error;
    }
  }
};
