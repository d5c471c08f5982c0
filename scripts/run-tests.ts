// Runs the tests: `run-tests.ts unit` (no virtual machine) or `run-tests.ts lab` (emulated computers, one at a time).
// Further arguments pick the files whose path contains one of them; `*.long.test.ts` runs only when picked. The last line is `N passed, N failed`, alone; the
// exit code is 1 when anything failed. Never installs or builds anything.

import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** `timeoutMs`: of one test; and how long all may be silent. */
const kinds = {
  unit: { concurrency: 2, timeoutMs: 120_000 },
  lab: { concurrency: 1, timeoutMs: 25 * 60_000 },
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

/** Processes of the tests, wherever they hang in the tree: all have the variable that names the folder `programs`. */
function startedHere(programs: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => pid > 1 && pid !== process.pid)
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8')
          .split('\0')
          .includes(`YADO_TEST_PROGRAMS=${programs}`);
      } catch {
        return false; // has just ended
      }
    });
}

/**
 * Ends, and names, what keeps the runner waiting: its own limit ends a test, but not a file that hangs outside of its tests,
 * nor a process that was left behind with the file's output.
 */
function endAll(programs: string): void {
  for (const pid of startedHere(programs)) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      console.log(`run-tests: silent for too long, ended: ${pid} … ${command.slice(-200)}`);
      process.kill(pid, 'SIGKILL');
    } catch {
      // Has just ended.
    }
  }
}

/** So often as long as the machine that the time-outs are for does this one take to start programs, within reason. */
function slowness(): number {
  const begun = performance.now();
  for (let n = 0; n < 50; n++) spawnSync('/bin/true');
  const usualMs = 600;
  return Math.min(4, Math.max(1, Math.round((performance.now() - begun) / (usualMs / 10)) / 10));
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
if (process.env.YADO_TIME_SCALE === undefined) {
  const scale = slowness();
  process.env.YADO_TIME_SCALE = String(scale);
  if (scale > 1) console.log(`run-tests: a slow machine, so all time-outs are ${scale} times as long`);
}
let passed = 0;
let failed = 0;
if (files.length > 0) {
  const tests = run({ files, concurrency, timeout: timeoutMs, cwd: root });
  let silences = 0;
  const silence = setTimeout(() => {
    silences++;
    endAll(programs);
    silence.refresh();
  }, timeoutMs + 60_000);
  tests.on('data', () => silence.refresh());
  tests.on('test:summary', ({ file, counts, duration_ms }) => {
    if (file !== undefined) {
      if (kind === 'lab') console.log(`# ${relative(root, file)}: ${Math.round(duration_ms / 1000)} s`);
      return; // the last one is of all files
    }
    passed = counts.passed;
    failed = counts.tests - counts.passed - counts.skipped - counts.todo;
  });
  const report = tests.compose(spec());
  for await (const chunk of report) process.stdout.write(chunk);
  clearTimeout(silence);
  failed += silences;
  if (passed + failed === 0) failed = 1; // files without a single result have not been tested
}
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed`);
