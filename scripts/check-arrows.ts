// Checks the import arrows of the design: which folder may import which, and that core and wire stay pure. Reads the
// sources only as text; exits 1 and names every import that points the wrong way.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

/** Folder → folders it may import besides itself. A file outside of these folders (scripts, test, bench) is free. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  'src/core': [],
  'src/wire': ['src/core'],
  'src/linux': ['src/core', 'src/wire'],
  'src/managers': ['src/core', 'src/wire', 'src/linux', 'src/devices'],
  'src/devices': ['src/core', 'src/wire', 'src/linux', 'src/managers'],
  'src/agent': ['src/core', 'src/wire', 'src/linux', 'src/managers', 'src/devices'],
  // The CLI talks to the agent's API only; of core it needs the shapes, the errors and the words.
  'src/cli': ['src/core'],
  'src/web': ['src/core'],
  lab: ['src/core', 'src/wire', 'packaging', 'standby'],
  // The manual page and the completions are made from the command line itself.
  packaging: ['standby', 'src/cli'],
  standby: ['packaging', 'src/core'],
};
/** Folders without I/O, clock and randomness: no Node module, and none of these words. */
const pureFolders = ['src/core', 'src/wire'];
const impureWords =
  /\b(process\.|Date\.now|new Date\(\)|Math\.random|performance\.|setTimeout|setInterval|fetch\()/;
/** npm packages by the only files or folders that may import them. */
const onlyIn: Readonly<Record<string, readonly string[]>> = {
  koffi: ['src/linux/ffi.ts'],
  commander: ['src/cli', 'lab/main.ts'],
};

const root = join(import.meta.dirname, '..');
const importPattern =
  /^\s*(?:import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"`]([^'"`]+)['"`]\s*\)/gm;

const folderOf = (path: string) =>
  Object.keys(arrows).find(folder => path.startsWith(`${folder}/`) || path === folder);

/** The path from the root that an import names, or undefined for a package. */
function resolveImport(file: string, name: string): string | undefined {
  if (name.startsWith('.')) return normalize(join(dirname(file), name));
  if (name.startsWith('#lab/')) return name.slice(1);
  if (name.startsWith('#')) return `src/${name.slice(1)}`;
  return undefined;
}

function problemsOf(file: string): string[] {
  const folder = folderOf(file);
  if (!folder) return [];
  const text = readFileSync(join(root, file), 'utf8');
  const isTest = /(\.test|\/fixture-[^/]+)\.ts$/.test(file);
  const problems: string[] = [];
  for (const match of text.matchAll(importPattern)) {
    const name = match[2] ?? match[3];
    if (!name) continue;
    const isType = match[1] !== undefined;
    const target = resolveImport(file, name);
    if (target && !target.endsWith('.json')) {
      const targetFolder = folderOf(target);
      const allowed = targetFolder === folder || (targetFolder && arrows[folder]?.includes(targetFolder));
      if (!allowed) problems.push(`${file} must not import ${target}`);
      continue;
    }
    const home = onlyIn[name];
    if (home && !home.some(each => file.startsWith(each)))
      problems.push(`${file} must not import ${name}: only ${home.join(', ')} may`);
    if (!isTest && !isType && pureFolders.includes(folder) && name.startsWith('node:')) {
      problems.push(`${file} must not import ${name}: ${folder} is pure`);
    }
  }
  if (!isTest && pureFolders.includes(folder)) {
    for (const [index, line] of text.split('\n').entries()) {
      const code = line.replace(/\/\/.*|^\s*\*.*/, '');
      const word = impureWords.exec(code)?.[1];
      if (word) problems.push(`${file}:${index + 1} uses ${word}: ${folder} is pure`);
    }
  }
  return problems;
}

const files = globSync(['src/**/*.ts', 'lab/**/*.ts', 'packaging/**/*.ts', 'standby/**/*.ts'], { cwd: root })
  .map(path => relative('.', path))
  .toSorted();
const problems = files.flatMap(problemsOf);
for (const problem of problems) console.error(problem);
console.log(`${files.length} files, ${problems.length} wrong arrows`);
if (problems.length > 0) process.exitCode = 1;
