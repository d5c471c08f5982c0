// Files in /run/yado that the agent did not write itself (packaging/files/prepare did, before it) count as memory of others and are
// swapped out with theirs. The ghost reads some of them, and what an OS swapped out lies on its disk, behind a stub that stands still
// in the ghost's kernel for ever. Nothing that the agent has written is swapped out: MemorySwapMax=0 in yadod.service.
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes them anew, with the same content and mode.
 * @throws SystemError of the file system
 */
export function ownFiles(folder = '/run/yado'): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.new')) continue; // somebody is just writing it
    const path = join(folder, entry.name);
    const { mode } = statSync(path);
    writeFileSync(`${path}.own`, readFileSync(path), { mode: mode & 0o777 });
    renameSync(`${path}.own`, path); // whole or not at all
  }
}
