// Who holds a fake /dev/snapshot open: as long as somebody does, the kernel behind it leaves the OS frozen.

import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Processes, other than this one, that have `folder/name` open. */
export function holdersOf(folder: string, name: string): number[] {
  const path = join(folder, name);
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => pid > 1 && pid !== process.pid && filesOf(pid).includes(path));
}

function filesOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return orNothing(() => readdirSync(folder)).flatMap(fd =>
    orNothing(() => [readlinkSync(join(folder, fd))]),
  );
}

/** What has just ended, or was closed, is not there. */
function orNothing(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return [];
  }
}

/** Ends a process that may have ended already. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has.
  }
}
