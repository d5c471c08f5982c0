// Writing out what programs have written and the disks have not: `sync`, with a limit. A process of its own does it, for a
// disk that no longer answers keeps whoever asks it for ever.
import { spawn } from 'node:child_process';

/**
 * True when all disks have taken what was to be written; false when they did not within `limitMs`, and whoever was sent
 * to ask is left behind. @throws the reason of `signal`, or Error when nobody could be sent
 */
export async function syncDisks(
  limitMs: number,
  signal: AbortSignal,
  [command, ...words]: readonly [string, ...string[]] = ['/bin/busybox', 'sync'],
): Promise<boolean> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: 'ignore' });
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      child.kill('SIGKILL');
      child.unref();
      settle();
    };
    const aborted = (): void => end(() => reject(signal.reason as Error));
    const timer = setTimeout(() => end(() => resolve(false)), limitMs);
    signal.addEventListener('abort', aborted);
    child.once('error', error => end(() => reject(error)));
    child.once('exit', code =>
      end(() => (code === 0 ? resolve(true) : reject(new Error(`sync ended with ${code}`)))),
    );
  });
}
