// The process that serves one connection. It has a shell for a parent, not this agent: nbdkit asks the kernel to be ended in
// order when its parent dies (--single sets PR_SET_PDEATHSIG), and one that ends in order answers requests under way with an
// error. The OS would believe its disk broken. So it goes on until the next agent ends it, or the connection does.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** $0 the note, $1 the program. The number is noted by the shell: also when this agent dies right now. */
const script = 'note=$0; "$@" <&3 >&3 3>&- 4>&- & echo $! >"$note"; echo $! >&4; exec 3>&- 4>&-; wait $!';
const notFound = [126, 127];

export interface ServerWords {
  /** The shell and its first arguments. */
  readonly shell: readonly string[];
  readonly program: string;
  readonly programArguments: readonly string[];
  /** The connection, its standard input and output. Open in this process still. */
  readonly socket: number;
  /** The file that says its number to the next agent. */
  readonly note: string;
  readonly say: (text: string) => void;
}

export class ServerProcess {
  readonly #shell: ChildProcess;
  readonly #pid: number;

  private constructor(shell: ChildProcess, pid: number) {
    this.#shell = shell;
    this.#pid = pid;
  }

  /** @throws Error when there is no such shell, or no room for a process */
  static async start({
    shell,
    program,
    programArguments,
    socket,
    note,
    say,
  }: ServerWords): Promise<ServerProcess> {
    const [command = '', ...rest] = [...shell, '-c', script, note, program, ...programArguments];
    const child = spawn(command, rest, { stdio: ['ignore', 'ignore', 'inherit', socket, 'pipe'] });
    await once(child, 'spawn');
    child.once('exit', code => {
      if (notFound.includes(code ?? 0)) say(`the disk server did not start: no program ${program}`);
    });
    const lines = createInterface({ input: child.stdio[4] as Readable });
    const [line] = (await Promise.race([once(lines, 'line'), once(child, 'exit')])) as [unknown];
    lines.close();
    child.stdio[4]?.destroy();
    const pid = Number(line);
    if (typeof line !== 'string' || !(pid > 1)) throw new Error('its server did not start');
    return new ServerProcess(child, pid);
  }

  /** At once, never in order. Returns when it has ended. */
  async kill(): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) return; // it waits for the server
    const exit = once(this.#shell, 'exit');
    try {
      process.kill(this.#pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has ended just now
    }
    await exit;
  }
}
