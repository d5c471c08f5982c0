// Disk servers of an agent that has died: they still write to the disk. Each agent leaves the numbers of its servers, and
// the next one ends them before it serves the disk itself.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { waitUntil } from '#managers/wait.ts';

const program = 'nbdkit';
/** Longer than a disk keeps a write waiting. */
const endMs = 25_000;

/** Where the number of a server is written: whenever its agent dies, the next one finds it. */
export const noteOf = (folder: string, exportName: string): string => join(folder, `${exportName}.pid`);

/**
 * When this returns none of them writes any more: what was under way then would come behind what is written next.
 * @throws Error when one does not end; the signal's reason
 */
export async function endFormerServers(folder: string, signal: AbortSignal): Promise<void> {
  for (const name of readdirSync(folder).filter(each => each.endsWith('.pid'))) {
    const path = join(folder, name);
    const pid = Number(readFileSync(path, 'utf8').trim());
    if (pid > 1 && told(pid, 'comm')?.trim() === program) {
      process.kill(pid, 'SIGKILL'); // in order it would answer with errors, see connections.ts
      await waitUntil(
        `the end of the disk server ${pid} of an agent before this one`,
        () => hasEnded(pid) || undefined,
        {
          timeoutMs: endMs,
          everyMs: 10,
          signal,
        },
      );
    }
    rmSync(path);
  }
}

/** Also when nobody has taken notice of its end; its threads may go on for longer than the process that had them. */
function hasEnded(pid: number): boolean {
  const stat = told(pid, 'stat');
  if (stat === undefined) return true;
  const state = stat.slice(stat.lastIndexOf(')') + 2)[0];
  return (state === 'Z' || state === 'X') && threadsOf(pid) <= 1;
}

function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0; // gone meanwhile
  }
}

function told(pid: number, what: 'comm' | 'stat'): string | undefined {
  const path = `/proc/${pid}/${what}`;
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  } catch {
    return undefined; // gone meanwhile
  }
}
