// `npm run bench -- remote-disk`: a disk that stayed behind, used from B over the network, beside the same disk used at A, and
// beside plain TCP from A to B; all in one boot. Writes lab/out/bench-remote-disk.json. Figures of an emulated computer
// compare only with each other.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Computer } from '#lab/computer.ts';
import { startLab } from '#lab/lab.ts';
import { LabError } from '#lab/lab-error.ts';
import { repositoryDir } from '#lab/paths.ts';
import { product } from '#lab/product.ts';
import { waitFor } from '#lab/time.ts';

const long = { timeoutMs: 600_000 };
const megabytes = 200;
const port = 7799;
const disk = '/dev/mapper/yado-root';
const file = '/root/bench';

/** fio's options, past the page cache. Reads take the whole disk, writes a file of their own. */
const loads: Readonly<Record<string, string>> = {
  'read, 1 MiB a time': `--filename=${disk} --readonly --rw=read --bs=1M --size=${megabytes}M`,
  'write, 1 MiB a time': `--filename=${file} --rw=write --bs=1M --size=${megabytes}M --end_fsync=1`,
  'read, 4 KiB here and there': `--filename=${disk} --readonly --rw=randread --bs=4k --size=1G --runtime=15`,
  'write, 4 KiB, each flushed': `--filename=${file} --rw=randwrite --bs=4k --size=${megabytes}M --fsync=1 --runtime=15`,
};

/** MB/s of each load, three times each. */
async function rates(os: Computer): Promise<Record<string, number[]>> {
  const figures: Record<string, number[]> = {};
  for (let turn = 0; turn < 3; turn++) {
    for (const [name, options] of Object.entries(loads)) {
      const output = await os.shell(
        `fio --name=bench --direct=1 --ioengine=psync --output-format=json ${options}`,
        long,
      );
      const [job] = (JSON.parse(output.slice(output.indexOf('{'))) as FioReport).jobs;
      if (!job) throw new LabError(`fio has measured nothing: ${output.slice(0, 200)}`);
      figures[name] ??= [];
      figures[name].push(Math.max(job.read.bw_bytes, job.write.bw_bytes) / 1e6);
    }
  }
  return figures;
}

interface FioReport {
  readonly jobs: readonly { readonly read: { bw_bytes: number }; readonly write: { bw_bytes: number } }[];
}

/** MB/s of one TCP connection from the OS at A to the standby at B, three times. */
async function plainTcp(a: Computer, b: Computer): Promise<number[]> {
  const figures: number[] = [];
  const address = b.spec.address.split('/')[0];
  for (let turn = 0; turn < 3; turn++) {
    await b.shell(`(busybox nc -l -p ${port} > /dev/null &)`);
    await waitFor(
      'B to listen',
      async () =>
        (await b.exec(`busybox netstat -ltn | busybox grep -q :${port}`)).code === 0 ? true : undefined,
      { timeoutMs: 60_000 },
    );
    const output = await a.shell(
      `bash -c 'LC_ALL=C dd if=/dev/zero bs=1M count=${megabytes} 2>&1 > /dev/tcp/${address}/${port}'`,
      long,
    );
    const [, bytes, seconds] = /(\d+) bytes.* copied, ([\d.]+) s/.exec(output) ?? [];
    figures.push(Number(bytes) / 1e6 / Number(seconds));
  }
  return figures;
}

const middle = (values: readonly number[]): number => values.toSorted((x, y) => x - y)[1] ?? Number.NaN;

export async function benchRemoteDisk(): Promise<void> {
  const say = (text: string): void => console.error(text);
  await using lab = await startLab({ ...product(say), include: ['fio'], say });
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  const link = await plainTcp(a, b);
  const direct = await rates(a);
  await a.shell('yado migrate b', long);
  const remote = await rates(b);
  console.log(`plain TCP from A to B: ${middle(link).toFixed(1)} MB/s`);
  console.log('MB/S                          AT A    FROM B    FROM B / AT A    FROM B / TCP');
  for (const name of Object.keys(loads)) {
    const [here, there] = [middle(direct[name]!), middle(remote[name]!)];
    const cells = [
      here.toFixed(2).padStart(6),
      there.toFixed(2).padStart(8),
      (there / here).toFixed(2).padStart(15),
      (there / middle(link)).toFixed(2).padStart(14),
    ];
    console.log(`${name.padEnd(26)}  ${cells.join('  ')}`);
  }
  const out = join(repositoryDir, 'lab', 'out');
  mkdirSync(out, { recursive: true });
  writeFileSync(
    join(out, 'bench-remote-disk.json'),
    `${JSON.stringify({ link, direct, remote }, null, 2)}\n`,
  );
}
