// `npm run bench -- overhead`: what the product costs while nothing moves. Each thing is measured in turns with it and without
// it, in one boot: the agent running and stopped; the stub of the disk and the device below it; the bridge and the card itself.
// Prints the middle of several turns and writes lab/out/bench-overhead.json. Figures of an emulated computer compare only
// with each other.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentReady } from '#lab/agent-ready.ts';
import type { Computer } from '#lab/computer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { thirdAddress } from '#lab/network.ts';
import { repositoryDir } from '#lab/paths.ts';
import { product } from '#lab/product.ts';
import { buildWorkload } from '#lab/workload-build.ts';
import { packages } from './compare/method.ts';

/** One thing measured in two ways; each gives figures by name, more is better. */
interface Comparison {
  readonly with: string;
  readonly without: string;
  readonly turns: number;
  measure(lab: Lab, os: Computer, isWith: boolean): Promise<Record<string, number>>;
}

const timeoutMs = 240_000;
const port = 7705;
const card = 'basename $(ls -d /sys/class/net/*/device | head -n 1 | xargs dirname)';

async function numbers(os: Computer, command: string): Promise<number[]> {
  const output = await os.shell(command, { timeoutMs });
  return [...output.matchAll(/[\d.]+/g)].map(([number]) => Number(number));
}

/** MB/s of reading a device past the page cache. */
async function readRate(os: Computer, device: string, bs: string, count: number): Promise<number> {
  const output = await os.shell(`dd if=${device} of=/dev/null bs=${bs} count=${count} iflag=direct 2>&1`, {
    timeoutMs,
  });
  const [, bytes, seconds] = /(\d+) bytes.* copied, ([\d.]+) s/.exec(output) ?? [];
  return Number(bytes) / 1e6 / Number(seconds);
}

/** MB/s of one TCP connection from the OS to the third machine. */
async function sendRate(lab: Lab, os: Computer): Promise<number> {
  const receiver = lab.third.spawn(
    [join(await buildWorkload(), 'carry'), 'receive', '/dev/null', String(port)],
    { stdio: 'ignore' },
  );
  const [rate] = await numbers(os, `/opt/lab/carry send /dev/zero 200000000 ${thirdAddress} ${port}`);
  receiver.kill();
  return rate ?? Number.NaN;
}

const comparisons: Readonly<Record<string, Comparison>> = {
  agent: {
    with: 'running',
    without: 'stopped',
    turns: 4,
    async measure(_lab, os, isRunning) {
      await os.shell(`systemctl ${isRunning ? 'start' : 'stop'} yadod`, { timeoutMs });
      if (isRunning) await agentReady(os);
      const [set, get] = await numbers(
        os,
        'redis-benchmark -t set,get -n 15000 -c 4 --csv | sed -n \'s/^"\\(SET\\|GET\\)","\\([0-9.]*\\)".*/\\2/p\'',
      );
      const objects = async (): Promise<number> => (await numbers(os, 'cat /run/filework'))[0] ?? 0;
      await os.shell(
        'rm -f /run/filework; systemd-run --quiet --unit=bench-files /opt/lab/filework /var/tmp/filework; ' +
          'until [ -s /run/filework ]; do sleep 0.1; done',
        { timeoutMs },
      );
      const before = await objects();
      await os.shell('sleep 20', { timeoutMs });
      const made = (await objects()) - before;
      await os.shell('systemctl stop bench-files; rm -r /var/tmp/filework', { timeoutMs });
      return { 'redis SET/s': set!, 'redis GET/s': get!, 'file work, objects in 20 s': made };
    },
  },
  disk: {
    with: 'stub',
    without: 'device below',
    turns: 5,
    async measure(_lab, os, isStub) {
      const device = isStub ? '/dev/mapper/yado-root' : '/dev/vda';
      return {
        'read, 1 MiB a time, MB/s': await readRate(os, device, '1M', 384),
        'read, 4 KiB a time, MB/s': await readRate(os, device, '4k', 12_000),
      };
    },
  },
  network: {
    with: 'bridge',
    without: 'card itself',
    turns: 5,
    async measure(lab, os, isBridge) {
      await os.shell(
        isBridge
          ? `ip addr del 10.77.0.9/24 dev $(${card}); ip link set $(${card}) master os0; ip link set os0 up`
          : `ip link set os0 down; ip link set $(${card}) nomaster; ip addr replace 10.77.0.9/24 dev $(${card})`,
        { timeoutMs },
      );
      return { 'TCP to the third machine, MB/s': await sendRate(lab, os) };
    },
  },
};

const median = (values: readonly number[]): number =>
  values.toSorted((x, y) => x - y)[Math.floor(values.length / 2)]!;

/** Figures by name, those with it and those without, in the order they were measured. */
type Figures = Record<string, { readonly with: number[]; readonly without: number[] }>;

async function compare(lab: Lab, os: Computer, { turns, measure }: Comparison): Promise<Figures> {
  const figures: Figures = {};
  for (let turn = 0; turn < 2 * turns; turn++) {
    const isWith = turn % 4 === 0 || turn % 4 === 3; // with, without, without, with: a slow drift meets both
    for (const [name, value] of Object.entries(await measure(lab, os, isWith))) {
      figures[name] ??= { with: [], without: [] };
      figures[name][isWith ? 'with' : 'without'].push(value);
    }
  }
  return figures;
}

export async function benchOverhead(): Promise<void> {
  const say = (text: string): void => console.error(text);
  await using lab = await startLab({ ...product(say), scenario: 'alone', include: packages, say });
  const os = lab.computer('a');
  const all: Record<string, Figures> = {};
  for (const [name, comparison] of Object.entries(comparisons)) {
    if (name === 'network') await os.shell('systemctl stop yadod systemd-networkd.socket systemd-networkd');
    const figures = await compare(lab, os, comparison);
    all[name] = figures;
    for (const [what, { with: on, without }] of Object.entries(figures))
      console.log(
        `${name}: ${what}: ${comparison.with} ${median(on).toFixed(1)}, ${comparison.without} ${median(without).toFixed(1)}, ` +
          `ratio ${(median(on) / median(without)).toFixed(3)}`,
      );
  }
  const out = join(repositoryDir, 'lab', 'out');
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'bench-overhead.json'), `${JSON.stringify(all, null, 2)}\n`);
}
