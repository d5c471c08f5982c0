// `npm run bench -- display`: the display of a Debian in the lab: full-screen updates, console scroll and the lag of a single
// change through the stub, beside the same card's own framebuffer with no agent in between. Prints a table and writes
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
import { scaled, waitFor } from '#lab/time.ts';

interface Load {
  readonly what: string;
  /** What runs in the OS; the number it prints last is how many pictures it has written. */
  readonly command: string;
}

interface Figures {
  readonly what: string;
  readonly seconds: number;
  /** Pictures written by the program, and drawn on the real screen; the card's own framebuffer is the screen. */
  readonly written: number;
  readonly drawn: number | undefined;
  /** Of one CPU: in the agent, and in all of the OS. */
  readonly agentCpuMs: number;
  readonly busyMs: number;
}

const seconds = 10;
const ticksPerSecond = 100; // USER_HZ
const program = '/opt/lab/screen';
const card = '/sys/bus/pci/devices/0000:00:02.0/resource0';

const scroll = `end=$(($(date +%s)+${seconds})); n=0; while [ $(date +%s) -lt $end ]; do seq $n $((n+60)) >/dev/tty1; n=$((n+1)); done; echo $n`;
const stubLoads: readonly Load[] = [
  { what: 'idle, stub', command: `sleep ${seconds}; echo 0` },
  { what: 'full screen, stub', command: `${program} full /dev/fb0 ${seconds}` },
  { what: 'console scroll, stub', command: scroll },
];
const cardLoads: readonly Load[] = [
  { what: 'idle, card', command: `sleep ${seconds}; echo 0` },
  {
    what: 'full screen, card',
    command: `${program} full /dev/fb$(sed -n 's/ .*drmfb.*//p' /proc/fb | head -n 1) ${seconds}`,
  },
  { what: 'console scroll, card', command: scroll },
];

async function framesDrawn(computer: Computer): Promise<number> {
  const table = JSON.parse(await computer.shell('yado devices --json')) as DeviceStatusTable;
  const items = table.find(each => each.device === 'display0')?.items;
  const drawn = items?.find(each => each.item === 'frames drawn')?.state;
  if (drawn === undefined) throw new LabError('the display of the OS has no stub');
  return Number(drawn);
}

/** utime and stime of the agent, fields 14 and 15 of /proc/PID/stat; 0 when there is none. */
async function agentCpuMs(computer: Computer): Promise<number> {
  const stat = await computer.shell('cat /proc/$(systemctl show -P MainPID yadod)/stat || true');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 1000) / ticksPerSecond;
}

/** What all CPUs have done but idle and wait, by /proc/stat. */
async function busyMs(computer: Computer): Promise<number> {
  const [user, nice, system, , , irq, softirq] = (await computer.shell('head -n 1 /proc/stat'))
    .split(/ +/)
    .slice(1)
    .map(Number) as [number, number, number, number, number, number, number];
  return ((user + nice + system + irq + softirq) * 1000) / ticksPerSecond;
}

async function measure(a: Computer, { what, command }: Load, hasStub: boolean): Promise<Figures> {
  const frames = async (): Promise<number> => (hasStub ? await framesDrawn(a) : 0);
  const before = { drawn: await frames(), agent: await agentCpuMs(a), busy: await busyMs(a) };
  const startedAt = performance.now();
  const output = await a.shell(command, { timeoutMs: scaled(60_000) });
  const took = (performance.now() - startedAt) / 1000;
  const after = { busy: await busyMs(a), agent: await agentCpuMs(a), drawn: await frames() };
  return {
    what,
    seconds: took,
    written: Number(output.trim().split('\n').at(-1)),
    drawn: hasStub ? after.drawn - before.drawn : undefined,
    agentCpuMs: after.agent - before.agent,
    busyMs: after.busy - before.busy,
  };
}

async function measureAll(lab: Lab): Promise<{ loads: Figures[]; lag: string }> {
  const a = lab.computer('a');
  await waitFor('a picture on the screen', async () => ((await framesDrawn(a)) > 0 ? true : undefined), {
    timeoutMs: scaled(60_000),
  });
  const loads: Figures[] = [];
  for (const load of stubLoads) loads.push(await measure(a, load, true));
  await a.shell('setterm --blank poke --clear all >/dev/tty1 </dev/tty1 2>/dev/null; sleep 1');
  const lag = await a.shell(`${program} lag /dev/fb0 ${card} 60`, { timeoutMs: scaled(120_000) });
  await a.shell('systemctl stop yadod', { timeoutMs: 60_000 });
  for (const load of cardLoads) loads.push(await measure(a, load, false));
  return { loads, lag: lag.trim() };
}

function rowOf({ what, seconds: took, written, drawn, agentCpuMs: agent, busyMs: busy }: Figures): string[] {
  const pictures = drawn ?? written;
  const percent = (ms: number): string => ((ms / took / 1000) * 100).toFixed(1);
  return [
    what,
    (written / took).toFixed(1),
    drawn === undefined ? '' : (drawn / took).toFixed(1),
    pictures > 0 ? (busy / pictures).toFixed(1) : '',
    percent(agent),
    percent(busy),
  ];
}

export async function benchDisplay(): Promise<void> {
  const say = (text: string): void => console.error(text);
  // Without it the kernel shows no program the memory of a card that has a driver.
  const kernelParameters = { os: ['iomem=relaxed'] };
  await using lab = await startLab({ ...product(say), say, scenario: 'alone', kernelParameters });
  const { loads, lag } = await measureAll(lab);
  const head = ['LOAD', 'WRITTEN/S', 'DRAWN/S', 'CPU MS/PICTURE', 'AGENT %', 'OS %'];
  const table = [head, ...loads.map(rowOf)];
  const widths = table[0]!.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)));
  for (const cells of table)
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
  const [middle, ninth, most] = lag.split(' ').map(us => (Number(us) / 1000).toFixed(0));
  console.log(`a change of one pixel is in the card after ${middle} ms (nine of ten ${ninth}, all ${most})`);
  console.log(
    `1280x1024, 16 bits; software emulation on ${cpus().length} host cores: many times slower than hardware`,
  );
  const out = join(repositoryDir, 'lab', 'out');
  mkdirSync(out, { recursive: true });
  writeFileSync(
    join(out, 'bench-display.json'),
    `${JSON.stringify({ loads, lagUs: lag.split(' ').map(Number) }, null, 2)}\n`,
  );
}
