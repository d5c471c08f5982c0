// Starts the workload programs inside the OS and checks what became of them, as a user would notice it.
// May assume the programs of lab/workload in /opt/lab and systemd in the OS.

import type { Computer } from './computer.ts';
import { LabError } from './lab-error.ts';

/** Where the hash chain is written: on the OS's disk. */
export const chainFile = '/var/lib/lab-chain';
/** Port of the ticker, TCP and UDP. */
export const tickerPort = 7000;

/** What the programs report. All counts must be above zero and all errors zero. */
export interface WorkloadReport {
  readonly records: number;
  readonly memoryPasses: number;
  readonly memoryErrors: number;
  readonly cpuBlocks: number;
  readonly cpuErrors: number;
}

/** Starts all four programs as units lab-… of the OS on `computer`. */
export async function startWorkload(computer: Computer, options: { memoryMiB?: number } = {}): Promise<void> {
  const unit = (name: string, command: string): string =>
    `systemd-run --quiet --collect --unit=lab-${name} --property=Nice=5 /opt/lab/${command}`;
  await computer.shell(
    [
      unit('hashchain', `hashchain ${chainFile}`),
      unit('memcheck', `memcheck ${options.memoryMiB ?? 100}`),
      unit('cpuloop', 'cpuloop'),
      unit('ticker', `ticker ${tickerPort}`),
      'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ -s /run/memcheck ] && [ -s /run/cpuloop ] && exit 0; sleep 1; done; exit 1',
    ].join(' && '),
    { timeoutMs: 90_000 },
  );
}

/** Reads the programs' state. @throws LabError when one is not running or the chain is broken. */
export async function checkWorkload(computer: Computer): Promise<WorkloadReport> {
  const output = await computer.shell(
    'for u in hashchain memcheck cpuloop ticker; do systemctl is-active --quiet lab-$u || { echo "$u is not running"; exit 1; }; done; ' +
      // The last record may be half written while we look: the copy ends at a whole one.
      `n=$(($(stat -c %s ${chainFile}) / 512)); head -c $((n * 512)) ${chainFile} >/run/lab/chain && ` +
      '/opt/lab/hashchain --verify /run/lab/chain && cat /run/memcheck /run/cpuloop; c=$?; rm -f /run/lab/chain; exit $c',
    { timeoutMs: 90_000 },
  );
  const match = /ok (\d+) records\s+passes (\d+) errors (\d+).*\s+blocks (\d+) errors (\d+)/.exec(output);
  if (!match) throw new LabError(`on ${computer.name}: the workload says ${output.trim()}`);
  const [, records, memoryPasses, memoryErrors, cpuBlocks, cpuErrors] = match.map(Number);
  return {
    records: records!,
    memoryPasses: memoryPasses!,
    memoryErrors: memoryErrors!,
    cpuBlocks: cpuBlocks!,
    cpuErrors: cpuErrors!,
  };
}
