// Turns our TypeScript into the JavaScript that the agent image carries. Node could strip the types itself at every
// start, but that costs seconds on a slow machine, and a ghost starts while the OS stands still. Only types are taken out:
// every line keeps its number.
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

/** Imports name files with `.ts`; the stripped ones end in `.js`. */
export function stripModule(source: string): string {
  return stripTypeScriptTypes(source).replace(
    /((?:\bfrom|\bimport|\bimport\()\s*(['`])[^'`]+)\.ts\2/g,
    '$1.js$2',
  );
}

/** Writes every module of `from` (tests left out) as JavaScript below `to`; other files are copied. */
export function stripTree(from: string, to: string): void {
  for (const path of globSync('**/*', { cwd: from, withFileTypes: false }).toSorted()) {
    if (path.endsWith('.test.ts') || !/\.\w+$/.test(path)) continue;
    const target = join(to, path.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    if (path.endsWith('.ts')) writeFileSync(target, stripModule(readFileSync(join(from, path), 'utf8')));
    else cpSync(join(from, path), target);
  }
}
