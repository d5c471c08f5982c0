// What remains of a move: its downtime in parts and its entry in the history, from what the frozen helpers measured. Pure.
import { type Downtime, downtimeOf } from '#core/downtime.ts';
import type { YadoError } from '#core/errors.ts';
import type { HistoryEntry } from '#core/history.ts';
import type { TimedStep } from '#wire/frames.ts';
import type { HelperReport } from '#wire/report.ts';
import type { MoveRequest } from './source-move.ts';

/** `diskMs`: from the thaw until the disk was attached again. */
export function downtimeFrom({ timesUs }: HelperReport, diskMs: number): Downtime {
  const ms = (...steps: TimedStep[]): number => steps.reduce((sum, step) => sum + timesUs[step], 0) / 1000;
  return downtimeOf({
    freeze: ms('freeze', 'leave'),
    image: ms('image', 'serve'),
    send: ms('send'),
    write: ms('ready'),
    restore: ms('restore'),
    arrive: ms('arrive', 'claim', 'adopt', 'thaw'),
    disk: diskMs,
  });
}

/** `startedAt`: ISO 8601. `report` is missing when nothing was stopped. */
export function entryOf(
  request: MoveRequest,
  startedAt: string,
  report: HelperReport | undefined,
  rest: Pick<HistoryEntry, 'outcome'> & Partial<HistoryEntry>,
): HistoryEntry {
  const returned = report && report.outcome !== 'arrived' ? report.timesUs : undefined;
  return {
    id: request.id,
    source: request.here.name,
    target: request.target.name,
    epoch: request.epoch,
    startedAt,
    endedAt: new Date().toISOString(),
    bytesSent: report?.wireBytes ?? 0,
    ...(report &&
      report.rounds > 0 && {
        preCopy: {
          bytes: report.preCopyBytes,
          rounds: report.rounds,
          pagesReferenced: report.referencedPages,
          pages: report.pages,
        },
      }),
    ...(returned && {
      // The target writes beside the stream: that time is in `send` already.
      pausedMs: (Object.values(returned).reduce((sum, us) => sum + us, 0) - returned.write) / 1000,
      returnMs: returned.return / 1000,
    }),
    ...rest,
  };
}

/** Of a move that ended with `error`. `report` is missing when nothing was stopped. */
export function outcomeOf(error: YadoError, report?: Pick<HelperReport, 'outcome'>): HistoryEntry['outcome'] {
  if (report?.outcome === 'arrived') return 'moved'; // whatever did not come up behind it
  if (error.family === 'cancelled') return 'cancelled';
  return error.family === 'failed' || error.family === 'internal' ? 'rolledBack' : 'refused';
}
