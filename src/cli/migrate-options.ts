// What `yado migrate` is told on its command line, as the agent is asked. Pure.
import type { MigrateRequest } from '#core/api.ts';
import { diskModes } from '#core/disk-wish.ts';
import { yadoError } from '#core/errors.ts';
import { parseMs } from '#core/quantities.ts';

export interface MigrateOptions {
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly stopAndCopy?: boolean;
  readonly maxDowntime?: string;
  readonly disk?: string;
  readonly toDisk?: string;
  readonly acceptRisk?: string[];
}

/** @throws YadoError `badUsage` */
export const requestOf = (to: string, options: MigrateOptions): MigrateRequest => ({
  to,
  acceptRisks: options.acceptRisk ?? [],
  ...diskWish(options),
  ...(options.stopAndCopy && { preCopy: false }),
  ...(options.maxDowntime !== undefined && { maxDowntimeMs: longest(options.maxDowntime) }),
});

const wrongUse = (what: string) => yadoError('badUsage', { what, command: 'yado migrate' });

function diskWish({ disk, toDisk }: MigrateOptions): Pick<MigrateRequest, 'disk'> {
  if (disk === undefined && toDisk === undefined) return {};
  const mode = diskModes.find(each => each === disk);
  if (!mode)
    throw wrongUse(
      disk === undefined
        ? '--to-disk is for --disk=follow or shared'
        : '--disk takes remote, follow or shared',
    );
  if (mode === 'remote' && toDisk !== undefined)
    throw wrongUse('a disk that stays where it is needs no other: --to-disk is for --disk=follow or shared');
  return { disk: { mode, ...(toDisk !== undefined && { disk: toDisk }) } };
}

function longest(text: string): number {
  const ms = parseMs(text);
  if (ms === undefined || ms < 1)
    throw wrongUse(`--max-downtime takes a time such as 2s or 500ms, not "${text}"`);
  return ms;
}

/** An option that may be given again. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
