// Where the lab keeps things: the cache (may be deleted at any time), the state of a running lab, the sources.
// Reads the environment once per call; never creates a directory by itself.

import { homedir } from 'node:os';
import { join } from 'node:path';

/** The repository's root directory. */
export const repositoryDir: string = join(import.meta.dirname, '..');

/** Cache of OS images and compiled workload programs. */
export function cacheDir(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'yadokari', 'lab');
}

/** The id of the lab a command speaks to: `YADO_LAB` or "default". */
export function labId(): string {
  return process.env.YADO_LAB || 'default';
}

/** The state directory of one lab: sockets, serial logs, disks of the running computers. */
export function stateDir(id: string): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'yadokari', 'lab', id);
}
