// Things that are slow to make and named by the hash of what they are made of.
// A thing is made under a temporary name and renamed when whole: an interrupt leaves no half thing in use.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Short name for the contents given, in order. */
export function contentKey(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(String(part.length)).update(':').update(part);
  return hash.digest('hex').slice(0, 16);
}

/** Removes what interrupted builds (processes no longer alive) left in `dir`. */
function sweep(dir: string): void {
  for (const name of readdirSync(dir)) {
    const pid = /^making-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(dir, name), { recursive: true, force: true });
  }
}

/**
 * The directory `dir/name`, made by `make` (which fills an empty directory) when it is not there yet.
 * Two makers at once are safe: the first to finish wins.
 */
export async function cachedDir(
  dir: string,
  name: string,
  make: (into: string) => Promise<void>,
): Promise<string> {
  const final = join(dir, name);
  if (existsSync(final)) return final;
  mkdirSync(dir, { recursive: true });
  sweep(dir);
  const making = join(dir, `making-${process.pid}-${name}`);
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making);
  try {
    await make(making);
    if (existsSync(final)) rmSync(making, { recursive: true, force: true });
    else renameSync(making, final);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  }
  return final;
}

/** Keeps the `keep` most recently named `prefix…` entries of `dir`, oldest by change time go. */
export function prune(dir: string, prefix: string, keep: number, changeTime: (path: string) => number): void {
  if (!existsSync(dir)) return;
  const entries = readdirSync(dir)
    .filter(name => name.startsWith(prefix))
    .map(name => join(dir, name));
  entries.sort((a, b) => changeTime(b) - changeTime(a));
  for (const old of entries.slice(keep)) rmSync(old, { recursive: true, force: true });
}
