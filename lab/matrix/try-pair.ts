// Tries one pair in a lab whose A has the OS: the checks, then either the refusal, or the move to B and home again, with
// the proofs of the first scenario. Leaves the OS at A, or throws: then the lab is of no more use.

import type { Doctor } from '#core/api.ts';
import type { History } from '#core/history.ts';
import { standsAgainst } from '#core/preflight.ts';
import { agentReady } from '../agent-ready.ts';
import type { Computer } from '../computer.ts';
import type { Lab } from '../lab.ts';
import { LabError } from '../lab-error.ts';
import { os } from '../os-recipe.ts';
import { waitFor } from '../time.ts';
import { checkWorkload, tickerPort } from '../workload.ts';
import type { Pair } from './pairs.ts';
import type { PairResult, Way } from './report.ts';

export type Tried = Pick<PairResult, 'result' | 'there' | 'home' | 'reason' | 'notes'>;

export const bootIdOf = (computer: Computer): Promise<string> =>
  computer.shell('cat /proc/sys/kernel/random/boot_id', { timeoutMs: 30_000 });

function demand(holds: boolean, sentence: string): void {
  if (!holds) throw new LabError(sentence);
}

/** No kernel has complained since the power came on. */
function noComplaint(computers: readonly Computer[]): void {
  for (const each of computers) {
    const complaint = /.*(?:WARNING: |BUG: |Oops|Call Trace|nobody cared)[^\n]*(?:\n[^\n]*){0,4}/.exec(
      each.serialLog(),
    );
    demand(complaint === null, `the kernel of ${each.name} complains: ${complaint?.[0]}`);
  }
}

/** One move; `proofs` of what a user would notice. */
async function moveOnce(lab: Lab, from: Computer, to: Computer, bootId: string, risk?: string): Promise<Way> {
  await using connection = await lab.third.watchConnection(os.address, tickerPort);
  await using probe = await lab.third.probe(os.address, tickerPort);
  const before = await checkWorkload(from);
  const accepted = risk === undefined ? '' : ` --accept-risk ${risk}`;
  if (risk !== undefined) {
    const refused = await from.exec(`yado migrate ${to.name}`, { timeoutMs: 120_000 });
    demand(
      refused.code === 4 && refused.output.includes(`--accept-risk ${risk}`),
      `${risk} should have refused it: ${refused.output}`,
    );
  }
  const moved = await from.exec(`yado migrate ${to.name}${accepted}`, { timeoutMs: 400_000 });
  demand(moved.code === 0, moved.output.trim().slice(-600));
  demand((await bootIdOf(to)) === bootId, `another system runs on ${to.name}`);
  const work = await waitFor(
    'new records of the workload',
    async () => {
      const now = await checkWorkload(to);
      return now.records > before.records ? now : undefined;
    },
    { timeoutMs: 60_000 },
  );
  demand(work.memoryErrors + work.cpuErrors === 0, 'programs found their memory or their results changed');
  const seen = await connection.stop();
  demand(seen.whole, `the connection of the third machine broke: ${seen.faults.join('; ')}`);
  const { downtimeMs: silenceMs } = await probe.stop();
  const [entry] = JSON.parse(await to.shell('yado history --json', { timeoutMs: 60_000 })) as History;
  demand(entry?.outcome === 'moved', 'the history tells of no move');
  return { downtimeMs: entry?.downtime?.total ?? 0, silenceMs };
}

/** The workload must be running on A, and B switched on. */
export async function tryPair(lab: Lab, pair: Pair, say: (text: string) => void): Promise<Tried> {
  const a = lab.computer(pair.a.name);
  const b = lab.computer(pair.b.name);
  await b.ready();
  await agentReady(b);
  const bootId = await bootIdOf(a);
  const { holds } = pair;
  if (holds === undefined) return tryMoves(a, b, lab, pair, bootId, say);
  await a.shell(
    `systemd-run --unit=holder sh -c 'exec sleep infinity < ${holds}'; until ls -l /proc/*/fd 2>/dev/null | grep -q ' ${holds}$'; do sleep 0.2; done`,
    { timeoutMs: 60_000 },
  );
  try {
    return await tryMoves(a, b, lab, pair, bootId, say);
  } finally {
    await a.shell('systemctl stop holder', { timeoutMs: 60_000 });
  }
}

async function tryMoves(
  a: Computer,
  b: Computer,
  lab: Lab,
  pair: Pair,
  bootId: string,
  say: (text: string) => void,
): Promise<Tried> {
  const looked = await a.exec('yado doctor --with b --json', { timeoutMs: 120_000 });
  const { checks } = JSON.parse(looked.output) as Doctor;
  const notes = checks.filter(each => !each.ok && !standsAgainst(each)).map(each => each.id);
  const against = checks.filter(standsAgainst);
  if (against.length > 0) {
    const ids = against.map(each => each.id).join(', ');
    const tried = await a.exec('yado migrate b', { timeoutMs: 120_000 });
    demand(tried.code === 4, `${ids} should have refused it: ${tried.output}`);
    demand((await bootIdOf(a)) === bootId, 'another system runs on a');
    await checkWorkload(a);
    return {
      result: 'refused',
      reason: `${ids}: ${against.map(each => `${each.text} (${each.hint})`).join(' ')}`,
      notes,
    };
  }
  const there = await moveOnce(lab, a, b, bootId);
  say(`${pair.name}: on B after ${there.downtimeMs.toFixed(0)} ms; going home`);
  const home = await moveOnce(lab, b, a, bootId, pair.riskHome);
  noComplaint([a, b]);
  demand(b.spec.disk === undefined || (await b.hasFreshDisk()), 'somebody has written to the disk of b');
  return { result: 'moved', there, home, notes };
}
