// What a person is told before a move: the checks, the ways of the devices, and what would be done.
import type { DryRun } from '#core/api.ts';
import type { CheckedMove } from './source-move.ts';

export const reportOf = ({ checks, prepared }: CheckedMove): Pick<DryRun, 'checks' | 'ways'> => ({
  checks: [...checks.checks],
  ways: prepared.ways.map(({ device, way, computer, reason }) => ({ device, way, computer, reason })),
});

/** A sentence a step. */
export const planOf = ({ load, prepared }: CheckedMove): string[] => [
  ...load.map(alias => `load the driver for ${alias}`),
  ...prepared.plans.leave.map(each => `while frozen: ${each.label}`),
];
