// What a person is told before a move: the checks, the ways of the devices, and what would be done.
import type { DryRun } from '#core/api.ts';
import { swapFolder } from '#core/image-room.ts';
import { swapsThatStay } from '#core/os-state.ts';
import { formatBytes } from '#core/quantities.ts';
import type { CheckedMove } from './source-move.ts';

export const reportOf = ({ checks, prepared }: CheckedMove): Pick<DryRun, 'checks' | 'ways'> => ({
  checks: [...checks.checks],
  ways: prepared.ways.map(({ device, way, computer, reason }) => ({ device, way, computer, reason })),
});

/** A sentence a step. */
export const planOf = ({ load, prepared, room, source }: CheckedMove): string[] => [
  ...swapsThatStay(source.os?.swaps ?? []).map(
    ({ path, usedBytes }) => `swapoff ${path} (${formatBytes(usedBytes)} are in it)`,
  ),
  ...swapSteps(room),
  ...load.map(alias => `load the driver for ${alias}`),
  ...prepared.plans.leave.map(each => `while frozen: ${each.label}`),
];

function swapSteps(room: CheckedMove['room']): string[] {
  if (room.kind !== 'swap') return [];
  const { swapBytes, fileBytes } = room;
  return [
    ...(fileBytes > 0 ? [`make a swap file of ${formatBytes(fileBytes)} in ${swapFolder}`] : []),
    `swap out about ${formatBytes(swapBytes)} of memory`,
  ];
}
