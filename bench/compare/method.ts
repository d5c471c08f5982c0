// What every way of moving offers to the comparison.
import type { Result } from './result.ts';

export interface Surroundings {
  readonly say: (text: string) => void;
  readonly keep: (result: Result) => void;
}

/** Moves under each of these workloads, in one boot where that is fair, and keeps a result for each. */
export type RunMethod = (workloads: readonly string[], around: Surroundings) => Promise<void>;

/** Debian's packages of the comparison: the same in every OS, so that none has more in its memory than another. */
export const packages: readonly string[] = [
  'coreutils',
  'redis-server',
  'redis-tools',
  'criu',
  'rsync',
  'iputils-arping',
];
