// `npm run bench -- display`: the display of a Debian in the lab: full-screen updates and console scroll through the stub,
// in frames a second and CPU per frame, beside writing to the card's own framebuffer. Prints a table and writes
// lab/out/bench-display.json. Figures of an emulated computer compare only with each other.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { DeviceStatusTable } from '#core/device-status-table.ts';
import type { Computer } from '#lab/computer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { LabError } from '#lab/lab-error.ts';
import { repositoryDir } from '#lab/paths.ts';
import { product } from '#lab/product.ts';
import { scaled } from '#lab/time.ts';

interface Figures {
  readonly what: string;
  readonly seconds: number;
  /** Pictures written by the program, and drawn on the real screen. */
  readonly written: number;
  readonly drawn: number;
  /** Of one CPU, in the agent. */
  readonly agentCpuMs: number;
}

const seconds = 10;
const ticksPerSecond = 100; // USER_HZ

/** What runs in the OS; the number it prints last is how many pictures it has written. */
const loads: readonly { readonly what: string; readonly command: string }[] = [
  { what: 'idle', command: `sleep ${seconds}; echo 0` },
  {
    what: 'full screen, stub',
    command: fullScreens('/dev/fb0'),
  },
  {
    what: 'full screen, card',
    command: fullScreens('/dev/fb1'),
  },
  {
    what: 'console scroll',
    command: `end=$(($(date +%s)+${seconds})); n=0; while [ $(date +%s) -lt $end ]; do seq $n $((n+60)) >/dev/tty1; n=$((n+1)); done; echo $n`,
  },
];

/** Two pictures in turns, as fast as the framebuffer takes them. */
function fullScreens(path: string): string {
  const make = (name: string, byte: string): string =>
    `[ -e /run/${name} ] || head -c 2621440 /dev/zero | tr '\\0' '\\${byte}' >/run/${name}`;
  const put = (name: string): string => `dd if=/run/${name} of=${path} bs=2621440 status=none`;
  return [
    make('one', '125'),
    make('two', '252'),
    `end=$(($(date +%s)+${seconds})); n=0`,
    `while [ $(date +%s) -lt $end ]; do ${put('one')}; ${put('two')}; n=$((n+2)); done`,
    'echo $n',
  ].join('; ');
}

async function framesDrawn(computer: Computer): Promise<number> {
  const table = JSON.parse(await computer.shell('yado devices --json')) as DeviceStatusTable;
  const items = table.find(each => each.device === 'display0')?.items;
  const drawn = items?.find(each => each.item === 'frames drawn')?.state;
  if (drawn === undefined) throw new LabError('the display of the OS has no stub');
  return Number(drawn);
}

/** utime and stime of the agent: fields 14 and 15 of /proc/PID/stat. */
async function agentCpuMs(computer: Computer): Promise<number> {
  const stat = await computer.shell('cat /proc/$(systemctl show -P MainPID yadod)/stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

async function measure(lab: Lab): Promise<Figures[]> {
  const a = lab.computer('a');
  const figures: Figures[] = [];
  for (const { what, command } of loads) {
    const [drawn, cpuMs, startedAt] = [await framesDrawn(a), await agentCpuMs(a), performance.now()];
    const written = Number((await a.shell(command, { timeoutMs: scaled(60_000) })).trim().split('\n').at(-1));
    const used = (await agentCpuMs(a)) - cpuMs;
    figures.push({
      what,
      seconds: (performance.now() - startedAt) / 1000,
      written,
      drawn: (await framesDrawn(a)) - drawn,
      agentCpuMs: used,
    });
  }
  return figures;
}

function rowOf({ what, seconds: took, written, drawn, agentCpuMs: cpuMs }: Figures): string[] {
  return [
    what,
    (written / took).toFixed(1),
    (drawn / took).toFixed(1),
    drawn > 0 ? (cpuMs / drawn).toFixed(1) : '',
    ((cpuMs / took / 1000) * 100).toFixed(1),
  ];
}

export async function benchDisplay(): Promise<void> {
  const say = (text: string): void => console.error(text);
  await using lab = await startLab({ ...product(say), say, scenario: 'alone' });
  const figures = await measure(lab);
  const table = [['LOAD', 'WRITTEN/S', 'DRAWN/S', 'CPU MS/FRAME', 'AGENT %'], ...figures.map(rowOf)];
  const widths = table[0]!.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)));
  for (const cells of table)
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
  console.log(
    `1280x1024, 16 bits; software emulation on ${cpus().length} host cores: many times slower than hardware`,
  );
  const out = join(repositoryDir, 'lab', 'out');
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'bench-display.json'), `${JSON.stringify(figures, null, 2)}\n`);
}
