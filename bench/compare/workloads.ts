// What the OS does while it is moved. Every workload is one tree of processes with a session of its own and the ticker in
// it, the same for every method. May assume the programs of lab/workload in /opt/lab and Debian's redis-server.
import type { Computer } from '#lab/computer.ts';
import { waitFor } from '#lab/time.ts';
import { tickerPort } from '#lab/workload.ts';

export interface Workload {
  readonly about: string;
  readonly ramMiB: number;
  /** Shell commands, each of which runs until it is ended. */
  readonly commands: readonly string[];
  /** Where its pace is told, and what is told when it has got going. */
  readonly status?: { readonly file: string; readonly going: string };
  /** A directory of the disk that it writes to. */
  readonly files?: string;
}

const ramMiB = 1536;
const redisMiB = 96;

const redis = (rate: number): Workload => ({
  about: `redis, ${rate} MB/s`,
  ramMiB,
  commands: [
    'redis-server --port 6379 --save "" --appendonly no --dir /tmp',
    `sh -c 'until redis-cli ping; do sleep 0.2; done; exec /opt/lab/redisload 6379 ${rate} ${redisMiB}'`,
  ],
  status: { file: '/run/redisload', going: 'steady' },
});

const ram = (mebibytes: number, text: string): Workload => ({
  about: `${text} in use`,
  ramMiB: 3072,
  commands: [`/opt/lab/hold ${mebibytes}`],
  status: { file: '/run/hold', going: 'full' },
});

const workDir = '/var/tmp/filework';

export const workloads: Readonly<Record<string, Workload>> = {
  idle: { about: 'idle', ramMiB, commands: [] },
  redis5: redis(5),
  redis20: redis(20),
  redis50: redis(50),
  files: {
    about: 'file work',
    ramMiB,
    commands: [`/opt/lab/filework ${workDir}`],
    status: { file: '/run/filework', going: 'objects' },
    files: workDir,
  },
  ram256: ram(256, '0.25 GB'),
  ram512: ram(512, '0.5 GB'),
  ram1024: ram(1024, '1 GB'),
};

const pidFile = '/run/bench.pid';
/** Above all numbers that a freshly started OS has given away: the tree keeps its own on another one. */
const firstPid = 20000;

/** Starts it and waits until it has got going. Gives the number of the tree's first process. */
export async function startWorkload(on: Computer, { commands, status }: Workload): Promise<number> {
  const programs = commands.map(command => `nice -n 5 ${command} & `).join('');
  const tree = `echo $$ >${pidFile}; /opt/lab/ticker ${tickerPort} & ${programs}wait`;
  await on.shell(
    `systemctl stop redis-server; rm -f ${pidFile} ${status?.file ?? ''}\n` +
      `echo ${firstPid} >/proc/sys/kernel/ns_last_pid\n` +
      `cat >/run/bench.sh <<'.'\n${tree}\n.\n` +
      // Not from the file: it would be open, and missing where only the processes go.
      'cd /; setsid sh -c "$(cat /run/bench.sh)" </dev/null >/dev/null 2>&1 &',
  );
  const pid = await waitFor(
    `the workload on ${on.name}`,
    async () => {
      const wanted = `${status ? `grep ${status.going} ${status.file} && ` : ''}grep . ${pidFile}`;
      const { code, output } = await on.exec(wanted);
      return code === 0 ? Number(output.trim().split('\n').at(-1)) : undefined;
    },
    { timeoutMs: 240_000, everyMs: 1000 },
  );
  return pid;
}

/** What the workload says of its pace, empty for one that says nothing. */
export async function paceOf(on: Computer, { status }: Workload): Promise<string> {
  return status ? (await on.shell(`cat ${status.file}`)).trim() : '';
}

/** Ends the whole tree. */
export async function endWorkload(on: Computer, pid: number, { files }: Workload): Promise<void> {
  await on.shell(`kill -9 -${pid} && rm -rf ${files ?? ''}`);
}
