// What the OS tells of its last move, and tables of figures.
import type { Downtime } from '#core/downtime.ts';
import type { History } from '#core/history.ts';
import type { Computer } from '#lab/computer.ts';
import { LabError } from '#lab/lab-error.ts';
import type { HelperReport } from '#wire/report.ts';

export interface MoveFigures {
  readonly downtime: Downtime;
  readonly report: HelperReport;
}

/** Of the OS on the computer that it has reached. @throws LabError when the last move did not bring it there */
export async function lastMove(computer: Computer): Promise<MoveFigures> {
  const [entry] = JSON.parse(await computer.shell('yado history --json')) as History;
  if (entry?.outcome !== 'moved' || entry.target !== computer.name || !entry.downtime)
    throw new LabError(`the history of ${computer.name} tells of no move`);
  const line = await computer.shell(
    "journalctl -u yadod -o cat --no-pager | sed -n 's/^helper: //p' | tail -n 1",
  );
  return { downtime: entry.downtime, report: JSON.parse(line) as HelperReport };
}

/** The first column to the left, numbers to the right. */
export function printTable(table: readonly (readonly string[])[]): void {
  const widths = table[0]!.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)));
  for (const cells of table) {
    const padded = cells.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    console.log(padded.join('  ').trimEnd());
  }
}
