// Holds back the programs that have the printer open while the OS is frozen: one that waits in a write to our device
// could not be frozen, for its answer would have to come from the agent, which is frozen too (the kernel waits killably,
// not freezably, in request_wait_answer).
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cgroupOf, freezeCgroup, holdersOf, thawCgroup } from '#linux/cgroup.ts';

/** Named here as long as they are held: an agent that is started anew lets them go. */
const listPath = '/run/yado/held';
const timeoutMs = 3000;

/** @throws Error when one of them cannot be held; those held before stay so until `letGo` */
export async function holdBack(path: string): Promise<void> {
  const own = cgroupOf(process.pid);
  const groups = new Set(
    holdersOf(path)
      .filter(pid => pid !== process.pid)
      .map(pid => cgroupOf(pid))
      .filter(group => group !== undefined && group !== own) as string[],
  );
  if (groups.size === 0) return;
  writeFileSync(listPath, JSON.stringify([...groups]));
  for (const group of groups) await freezeCgroup(group, timeoutMs);
}

export function letGo(): void {
  if (!existsSync(listPath)) return;
  for (const group of JSON.parse(readFileSync(listPath, 'utf8')) as string[]) thawCgroup(group);
  rmSync(listPath);
}
