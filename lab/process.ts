// Host processes of the lab: run one to its end, or start one that dies with us.
// May assume Debian's setpriv (util-linux). Never leaves a child behind: the kernel kills it when we die.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { LabError } from './lab-error.ts';

/** What a finished process left. `output` is stdout, `errors` stderr. */
export interface Finished {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Puts a parent-death signal before a command: the kernel kills it when the thread that started it ends. */
export function tied(argv: readonly string[]): string[] {
  return ['setpriv', '--pdeathsig', 'KILL', '--', ...argv];
}

/** Starts a process that is killed by the kernel when this one dies. */
export function spawnTied(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const [command, ...args] = tied(argv);
  return spawn(command!, args, options);
}

/** Runs a process to its end, whatever its exit code. @throws LabError when it cannot be started. */
export function runAny(
  argv: readonly string[],
  options: SpawnOptions & { input?: string | Uint8Array } = {},
): Promise<Finished> {
  const { input, ...rest } = options;
  const child = spawnTied(argv, { ...rest, stdio: ['pipe', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout!.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr!.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin!.on('error', () => {}); // the child may end before it has read all of its input
  child.stdin!.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', error => reject(new LabError(`cannot start ${argv[0]}`, 'sh scripts/setup.sh', error)));
    child.on('close', (code, signal) => {
      resolve({
        code: code ?? (signal ? 255 : 254),
        output: Buffer.concat(out).toString(),
        errors: Buffer.concat(err).toString(),
      });
    });
  });
}

/** Runs a process that must succeed; gives its stdout. @throws LabError with the end of its stderr. */
export async function run(
  argv: readonly string[],
  options: SpawnOptions & { input?: string | Uint8Array } = {},
): Promise<string> {
  const done = await runAny(argv, options);
  if (done.code !== 0) {
    const tail = (done.errors || done.output).trim().split('\n').slice(-8).join('\n');
    throw new LabError(`${argv.join(' ').slice(0, 200)} ended with ${done.code}: ${tail}`);
  }
  return done.output;
}

/** Ends a child and waits until it is gone. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()));
  child.kill(signal);
  await gone;
}
