// Holds programs still and lets them go again, by ptrace: neither they nor whoever waits for them notice (no signal, no
// stop that a parent sees), whatever cgroup or session they share with others, and the kernel lets all of them go when
// the holder dies. One that is held stays so over a freeze of the whole OS.
// Everything here must be called by the main thread: the kernel knows a tracer by its thread. Never for processes that
// Node itself has started: it would take what waitpid says of them for their end.
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { C } from '#linux/abi.ts';
import { ptrace, waitThread } from '#linux/ffi.ts';
import { SystemError } from '#linux/system-error.ts';

/** Processes that have the device node `path` ("/dev/usb/lp0") open. */
export function holdersOf(path: string, proc = '/proc'): number[] {
  // Seen from another root the kernel shortens the path: its end says enough.
  const end = path.replace(/^\/dev/, '');
  return readdirSync(proc)
    .filter(name => /^\d+$/.test(name))
    .filter(pid => names(join(proc, pid, 'fd')).some(fd => linkOf(join(proc, pid, 'fd', fd)).endsWith(end)))
    .map(Number);
}

/** Processes end and files are closed while one looks at them. */
function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

const everyMs = 2;

export class HeldPrograms {
  /** By thread: undefined until it stands still, then the signal it is to get when it goes on (0: none). */
  readonly #threads = new Map<number, number | undefined>();

  /**
   * Holds every thread of the programs that `find` names, and looks again until there are no more. What does not stand
   * still within `timeoutMs` (it waits for something in the kernel) is left to the freezer: gives their number.
   */
  async hold(find: () => readonly number[], timeoutMs: number): Promise<number> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const found = find()
        .filter(pid => pid !== process.pid)
        .flatMap(pid => names(`/proc/${pid}/task`).map(Number))
        .filter(thread => !this.#threads.has(thread));
      const more = found.filter(thread => this.#seize(thread)).length;
      // Looking through all processes takes its time: only once those that were found stand still.
      while (this.#moving > 0) {
        if (performance.now() > end) return this.#moving;
        await sleep(everyMs);
        for (const [thread, signal] of this.#threads) if (signal === undefined) this.#look(thread);
      }
      if (more === 0 || performance.now() > end) return 0;
    }
  }

  /** Ends when all go on; a thread that did not stand still yet is waited for. */
  async letGo(): Promise<void> {
    for (let wait = everyMs; this.#threads.size > 0; wait = Math.min(wait * 2, 250)) {
      for (const [thread, signal] of this.#threads) {
        if (signal === undefined) this.#look(thread);
        const now = this.#threads.get(thread);
        if (now !== undefined) this.#detach(thread, now);
      }
      if (this.#threads.size > 0) await sleep(wait);
    }
  }

  get #moving(): number {
    return [...this.#threads.values()].filter(each => each === undefined).length;
  }

  #seize(thread: number): boolean {
    try {
      ptrace(C.PTRACE_SEIZE, thread);
      this.#threads.set(thread, undefined);
      ptrace(C.PTRACE_INTERRUPT, thread);
      return true;
    } catch (error) {
      // EPERM: somebody else traces it, a debugger, or it is about to end. ESRCH: it has ended.
      if (error instanceof SystemError && ['EPERM', 'ESRCH'].includes(error.code)) return false;
      throw error;
    }
  }

  #look(thread: number): void {
    try {
      const status = waitThread(thread);
      if (status === undefined) return;
      // WIFSTOPPED; anything else is its end.
      if ((status & 0xff) !== 0x7f) this.#threads.delete(thread);
      else this.#threads.set(thread, status >> 16 === C.PTRACE_EVENT_STOP ? 0 : (status >> 8) & 0xff);
    } catch (error) {
      if (!(error instanceof SystemError && error.code === 'ECHILD')) throw error;
      this.#threads.delete(thread);
    }
  }

  #detach(thread: number, signal: number): void {
    try {
      ptrace(C.PTRACE_DETACH, thread, signal);
      this.#threads.delete(thread);
    } catch (error) {
      if (!(error instanceof SystemError && error.code === 'ESRCH')) throw error;
      this.#threads.set(thread, undefined); // it was killed: its end must be seen here before its parent can see it
    }
  }
}
