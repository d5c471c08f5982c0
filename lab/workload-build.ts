// Compiles the workload programs (lab/workload/*.c) into the cache: static, so that they run in any OS.
// May assume gcc with a static libc. Never compiles twice what has not changed.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cachedDir, contentKey } from './cache.ts';
import { cacheDir, repositoryDir } from './paths.ts';
import { run } from './process.ts';

const sourceDir = join(repositoryDir, 'lab', 'workload');
const flags = ['-std=gnu11', '-O2', '-static', '-Wall', '-Wextra', '-Werror'];

/** Gives the directory that holds the programs, by name: hashchain, memcheck, cpuloop, ticker, screen. */
export async function buildWorkload(): Promise<string> {
  const files = readdirSync(sourceDir)
    .filter(name => /\.[ch]$/.test(name))
    .sort();
  const texts = files.flatMap(name => [name, readFileSync(join(sourceDir, name), 'utf8')]);
  return cachedDir(cacheDir(), `workload-${contentKey(...flags, ...texts)}`, async into => {
    for (const name of files.filter(file => file.endsWith('.c'))) {
      await run(['gcc', ...flags, '-o', join(into, name.slice(0, -2)), join(sourceDir, name)]);
    }
  });
}
