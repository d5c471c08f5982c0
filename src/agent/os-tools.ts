// Tools on the disk of the OS, started for what the agent must not do itself: it must not wait for a disk.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type MemoryInfo, readMeminfo } from '#linux/meminfo.ts';
import { OS_ROOT, REAL_ROOT, readText } from '#linux/sysfs.ts';
import { log } from './log.ts';

/** What hangs in the kernel, a mount of a disk that does not answer, cannot be killed. */
const endMs = 5000;

const intoOs = ['/bin/busybox', 'chroot', OS_ROOT] as const;

/**
 * Runs a tool of the OS, found there: busybox would take its own of that name, whose swapon knows no priority. `intoOs`: the command
 * that runs it there.
 * @throws Error with what it said, or when the signal ended it and all that it had started; that it does not end, if it cannot be ended
 */
export async function runTool(
  words: readonly string[],
  signal?: AbortSignal,
  [command, ...way]: readonly [string, ...string[]] = intoOs,
): Promise<void> {
  const child = spawn(command, [...way, '/usr/bin/env', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  await ended(child, words[0] ?? '', signal);
}

/**
 * What lies in a folder of the OS, hidden files left out; nothing where there is no folder. Busybox has `ls` in itself: of the disk of
 * the OS, which may be far away, only the folder is read.
 * @throws Error as `runTool`
 */
export async function namesIn(
  folder: string,
  signal?: AbortSignal,
  [command, ...way]: readonly [string, ...string[]] = intoOs,
): Promise<string[]> {
  const child = spawn(command, [...way, 'ls', '-1', `${folder}/`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, LC_ALL: 'C' }, // what it says is read
  });
  try {
    const [names] = await Promise.all([text(child.stdout), ended(child, 'ls', signal)]);
    return names.split('\n').filter(each => each !== '');
  } catch (error) {
    if (/^ls: .*No such file/.test(reasonOf(error))) return [];
    throw error;
  }
}

type Child = ChildProcessByStdio<null, Readable | null, Readable>;

/**
 * Until it has ended. It has a group of its own (`detached`), which all that it starts belong to.
 * @throws Error with what it said, or when the signal ended all of them; that it does not end, if it cannot be ended
 */
async function ended(child: Child, name: string, signal: AbortSignal | undefined): Promise<void> {
  const stuck = Promise.withResolvers<never>();
  let late: NodeJS.Timeout | undefined;
  const kill = (): void => {
    endAll(child.pid); // swapoff leaves in the swap what it has not brought back
    late = setTimeout(() => stuck.reject(new Error(`${name} hangs, and cannot be ended`)), endMs);
  };
  if (signal?.aborted) kill();
  else signal?.addEventListener('abort', kill);
  try {
    const end = Promise.all([once(child, 'close'), text(child.stderr)]);
    const [[code], said] = await Promise.race([end, stuck.promise]);
    if (code !== 0) throw new Error(said.trim().split('\n')[0] || `${name} ended with ${code}`);
  } finally {
    clearTimeout(late);
    signal?.removeEventListener('abort', kill);
  }
}

/** The end of a shell alone would leave what it has started, which goes on as root when the move has long been given up. */
function endAll(group: number | undefined): void {
  if (group === undefined) return; // it could not be started
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // All have just ended.
  }
}

/** What swap is switched with, so that a test can stand in. */
export interface SwapTools {
  /** Runs a tool of the OS until its end, also when the signal ends it early. @throws Error with what it said */
  readonly run: (words: readonly string[], signal?: AbortSignal) => Promise<void>;
  /** /proc/swaps */
  readonly swaps: () => string;
  readonly memory: () => Pick<MemoryInfo, 'total' | 'available' | 'swapCached'>;
  readonly say: (line: string) => void;
}

export const swapTools: SwapTools = {
  run: runTool,
  swaps: () => readText(REAL_ROOT, 'proc/swaps') ?? '',
  memory: () => readMeminfo(),
  say: log,
};

/** What comes back from the swap leaves so much of all memory free, or waits. */
export const spareShare = 0.1;

/** As a part of a sentence. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
