// Compiles the test programs of the frozen helper with ASan and UBSan into a folder that goes with the test file, or the run.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

const sources = join(import.meta.dirname, '..');
const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-g', '-Wall', '-Wextra', '-Werror'];
const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
/** Calls of the helper that must never reach the kernel of the machine that runs the tests. */
const wrapped = [
  'open',
  'ioctl',
  'write',
  'mailbox_signature',
  'clock_gettime',
  'clock_settime',
  'mlockall',
  'reboot',
  'sendto',
  'pause',
];

/** For the environment of a compiled program: the first finding ends it, exit code 86. */
export const sanitizerEnv = {
  ASAN_OPTIONS: 'detect_leaks=0:exitcode=86:abort_on_error=0',
  UBSAN_OPTIONS: 'print_stacktrace=1:exitcode=86',
};
export const sanitizerExitCode = 86;

/** Where a run keeps what is compiled until it ends (scripts/run-tests.ts); none when a file is run by itself. */
const ofRun = process.env.YADO_TEST_PROGRAMS;

/** A folder that is removed after the tests of the calling file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'yado-frozen-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @returns the path of the program; of a run of many files, the one that the first of them has compiled */
function compile(
  folder: string,
  name: string,
  files: readonly string[],
  more: readonly string[] = [],
): string {
  const out = join(ofRun ?? folder, name);
  if (ofRun && existsSync(out)) return out;
  const made = `${out}-${process.pid}`; // another file may be at it too
  const paths = files.map(file => join(sources, file));
  execFileSync('gcc', [...flags, ...sanitize, ...more, '-o', made, ...paths, '-llz4'], { stdio: 'inherit' });
  renameSync(made, out);
  return out;
}

/** The parsers, fed from stdin. @returns its path */
export function compileHarness(folder: string): string {
  const files = [
    ...[
      'test/harness.c',
      'io.c',
      'job.c',
      'plan.c',
      'claim.c',
      'sha256.c',
      'park.c',
      'recall.c',
      'lists.c',
      'pack.c',
      'known.c',
      'memory.c',
      'tag.c',
      'fault.c',
    ],
  ];
  return compile(folder, 'harness', files, ['-Wno-unused-function']);
}

const helper = [
  'io.c',
  'job.c',
  'plan.c',
  'claim.c',
  'sha256.c',
  'clock.c',
  'fault.c',
  'source.c',
  'precopy.c',
  'memory.c',
  'known.c',
  'tag.c',
  'copy.c',
  'guard.c',
  'target.c',
  'park.c',
  'recall.c',
  'lists.c',
  'pack.c',
];

/**
 * The whole helper on the fake kernel; `packs`: it packs however fast the network is.
 * @returns its path @throws Error when a dangerous call is not wrapped
 */
export function compileFakeFrozen(folder: string, packs = false): string {
  const files = ['test/fake-kernel.c', 'main.c', ...helper];
  const more = [...wrapped.map(name => `-Wl,--wrap=${name}`), ...(packs ? ['-DPACK_ALWAYS'] : [])];
  return checked(compile(folder, packs ? 'frozen-packs' : 'frozen', files, more));
}

/** The helper in a world of memory, fed with bad input (see native/frozen/fuzz). @returns its path @throws as above */
export function compileFuzz(folder: string): string {
  const calls = [
    ...wrapped.filter(name => !['mailbox_signature', 'pause'].includes(name)),
    ...[
      'recv',
      'recvfrom',
      'send',
      'sendto',
      'poll',
      'accept4',
      'close',
      'socket',
      'read',
      'pread',
      'access',
    ],
    ...['bind', 'setsockopt', 'shutdown', 'fork', '_exit'],
  ];
  // Every datagram of a flood has a MAC: with sanitizers that is all the fuzzers would do. The harness tries it with them.
  const digest = join(folder, 'sha256.o');
  execFileSync('gcc', [...flags, '-O2', '-c', '-o', digest, join(sources, 'sha256.c')], { stdio: 'inherit' });
  // No process is started, hence no guard.
  const files = [
    'fuzz/main.c',
    'fuzz/world.c',
    ...helper.filter(file => !['guard.c', 'sha256.c'].includes(file)),
  ];
  return checked(compile(folder, 'fuzz', files, [digest, ...calls.map(name => `-Wl,--wrap=${name}`)]));
}

function checked(out: string): string {
  const calls = execFileSync('nm', ['-u', out], { encoding: 'utf8' });
  const loose = /\b(open|open64|reboot|clock_settime|mlockall|settimeofday)(@|$)/m.exec(calls);
  if (loose) throw new Error(`the fake kernel lets ${loose[1]} through`);
  return out;
}
