// Runs the tests: `run-tests.ts unit` (no virtual machine) or `run-tests.ts lab` (emulated computers, one at a time).
// Further arguments pick the files whose path contains one of them; `*.long.test.ts` runs only when picked. The last line is `N passed, N failed`, alone; the
// exit code is 1 when anything failed. Never installs or builds anything.

import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const kinds = {
  unit: { concurrency: 2, timeoutMs: 120_000 },
  lab: { concurrency: 1, timeoutMs: 45 * 60_000 },
} as const;
const root = join(import.meta.dirname, '..');
const labTests = 'test/lab/';

function filesOf(kind: keyof typeof kinds, words: readonly string[]): string[] {
  return globSync('{src,packaging,standby,lab,native,test}/**/*.test.ts', { cwd: root })
    .filter(path => path.startsWith(labTests) === (kind === 'lab'))
    .filter(path =>
      words.length === 0 ? !path.endsWith('.long.test.ts') : words.some(word => path.includes(word)),
    )
    .toSorted()
    .map(path => join(root, path));
}

const [kind, ...words] = process.argv.slice(2);
if (kind !== 'unit' && kind !== 'lab') {
  console.error('usage: run-tests.ts unit|lab [part of a path …]');
  process.exit(2);
}
const { concurrency, timeoutMs } = kinds[kind];
const files = filesOf(kind, words);
// What a file compiles (native/frozen/test/compile.ts) the files behind it take from here.
const programs = mkdtempSync(join(tmpdir(), 'yado-programs-'));
process.on('exit', () => rmSync(programs, { recursive: true, force: true }));
process.env.YADO_TEST_PROGRAMS = programs;
let passed = 0;
let failed = 0;
if (files.length > 0) {
  const tests = run({ files, concurrency, timeout: timeoutMs, cwd: root });
  tests.on('test:summary', ({ file, counts }) => {
    if (file !== undefined) return; // a file's own summary; the last one is of all files
    passed = counts.passed;
    failed = counts.tests - counts.passed - counts.skipped - counts.todo;
  });
  const report = tests.compose(spec());
  for await (const chunk of report) process.stdout.write(chunk);
  if (passed + failed === 0) failed = 1; // files without a single result have not been tested
}
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed`);
