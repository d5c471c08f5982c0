// Armed fault points, for tests: names from the environment or a file in memory, read when a move begins.
import { readFileSync } from 'node:fs';

/** Every fault point there is; an unknown name is refused so that a test cannot arm nothing. */
export const faultPoints = {
  'drop-claims': 'A does not hear the first N claims',
  'drop-grants': 'the first N grants are lost',
  'copy-silent': 'the copy on B never claims',
  'copy-delay': 'the copy on B claims N ms late',
  'die-in-restore': 'B resets instead of restoring',
  'restore-fails': "B's kernel refuses the image",
  'ram-hole': 'B believes that half of its RAM is missing',
} as const;

/** `name` or `name=N` each. @throws Error on a name that is not in the table */
export function armedFaults(path = '/run/yado/faults'): string[] {
  let text = process.env.YADO_FAULTS ?? '';
  try {
    text = readFileSync(path, 'utf8').trim() || text;
  } catch {
    // No such file is the normal case.
  }
  const faults = text.split(',').filter(Boolean);
  for (const fault of faults) {
    if (!Object.hasOwn(faultPoints, fault.split('=')[0] ?? '')) throw new Error(`no fault point ${fault}`);
  }
  return faults;
}
