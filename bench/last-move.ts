// What the OS and its helper tell of the last move. May assume that it has just moved to the computer.
import type { Downtime } from '#core/downtime.ts';
import type { History } from '#core/history.ts';
import type { Computer } from '#lab/computer.ts';
import { LabError } from '#lab/lab-error.ts';
import type { HelperReport } from '#wire/report.ts';

export interface LastMove {
  readonly downtime: Downtime;
  readonly report: HelperReport;
}

/** @throws LabError when the newest entry of the history is not a move that succeeded */
export async function lastMove(at: Computer): Promise<LastMove> {
  const [entry] = JSON.parse(await at.shell('yado history --json')) as History;
  if (entry?.outcome !== 'moved' || !entry.downtime)
    throw new LabError(`the history of ${at.name} tells of no move`);
  const line = await at.shell("journalctl -u yadod -o cat --no-pager | sed -n 's/^helper: //p' | tail -n 1");
  return { downtime: entry.downtime, report: JSON.parse(line) as HelperReport };
}
