// Where builds keep what is dear to make, and how a finished thing appears there: whole, by rename.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';

export const projectRoot: string = dirname(import.meta.dirname);

/** `$XDG_CACHE_HOME/yadokari/<parts>`; the parent folder is made. */
export function cachePath(...parts: string[]): string {
  const path = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'yadokari', ...parts);
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** Makes `path` by `build(temporary path)` unless it is there; a build that is broken off leaves nothing behind. */
export function once(path: string, build: (temporary: string) => void): string {
  if (existsSync(path)) return path;
  const temporary = `${path}.${process.pid}.new`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    build(temporary);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return path;
}

/** SHA-256 (hex) over names and contents of files and folders, in a fixed order; `extra` is mixed in. */
export function hashOf(paths: readonly string[], extra = ''): string {
  const hash = createHash('sha256').update(extra);
  const visit = (base: string, path: string): void => {
    if (statSync(path).isDirectory()) {
      // Tests go into no image.
      const names = readdirSync(path).filter(name => name !== 'test' && !name.endsWith('.test.ts'));
      for (const name of names.sort()) visit(base, join(path, name));
      return;
    }
    hash.update(`\0${relative(base, path)}\0`).update(readFileSync(path));
  };
  for (const path of paths) visit(dirname(path), path);
  return hash.digest('hex');
}
