// The role `look`: before a standby has its agent, its init asks whether an OS has left a mark where a shell does not find it,
// on a volume of LVM or in a LUKS container. Reads only.
import { isAnyDiskMarked } from './left-behind.ts';

/** standby/init knows it. Anything else than this: there is one, or nobody knows. */
const nothingFound = 3;

export async function runLook(): Promise<void> {
  process.exitCode = isAnyDiskMarked() ? 0 : nothingFound;
}
