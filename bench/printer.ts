// Printing one raw job in the lab: through the stub at A, after a move from B, and to an IPP printer in the network, beside
// the same job written to /dev/lp0 at A directly and sent to A over plain TCP. `npm run bench -- printer`. QEMU's parallel port
// takes a byte at a time and is slow by itself: only the ratios say something.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Computer } from '#lab/computer.ts';
import { startIppPrinter } from '#lab/ipp-printer.ts';
import { type Lab, startLab } from '#lab/lab.ts';
import { thirdAddress } from '#lab/network.ts';
import { product } from '#lab/product.ts';
import { waitFor } from '#lab/time.ts';

const bytes = 20_000_000;
const jobPath = '/dev/shm/bench-job';
const tcpPort = 7799;
const long = { timeoutMs: 1_800_000 };

/** Milliseconds from the first write until the paper has the whole job; checks that it is the job. */
async function printed(from: Computer, paper: string, command: string, hash: string): Promise<number> {
  const before = statSync(paper).size;
  const started = performance.now();
  await from.shell(command, long);
  await waitFor(
    'the job on paper',
    async () => (statSync(paper).size >= before + bytes ? true : undefined),
    long,
  );
  const ms = performance.now() - started;
  const seen = createHash('sha256').update(readFileSync(paper).subarray(before)).digest('hex');
  if (seen !== hash) throw new Error(`${command}: other bytes came out`);
  return ms;
}

async function overTcp(lab: Lab, a: Computer): Promise<number> {
  const server = lab.third.run(['sh', '-c', `head -c ${bytes} /dev/zero | timeout 600 nc -N -l ${tcpPort}`]);
  const receive = `until cat < /dev/tcp/${thirdAddress}/${tcpPort} | wc -c | grep -qx ${bytes}; do sleep 0.1; done`;
  const started = performance.now();
  await a.shell(`bash -c '${receive}'`, long);
  const ms = performance.now() - started;
  await server;
  return ms;
}

/** From B, whose settings name the printer from here on. */
async function overIpp(lab: Lab, b: Computer, hash: string): Promise<number> {
  const folder = join(lab.dir, 'ipp');
  mkdirSync(folder);
  await using printer = await startIppPrinter(lab.third, folder);
  await b.shell(
    `printf '\\n[printer]\\nuri = "${printer.uri}"\\n' >> /etc/yadokari/config.toml; systemctl restart yadod-prepare`,
    long,
  );
  await waitFor(
    'the stub before the IPP printer',
    async () => (/converted/.test((await b.exec('yado devices', long)).output) ? true : undefined),
    { timeoutMs: 120_000 },
  );
  await b.shell('until [ -c /dev/usb/lp0 ]; do sleep 0.1; done', long);
  const started = performance.now();
  await b.shell(`cat ${jobPath} > /dev/usb/lp0`, long);
  await waitFor(
    'the document',
    async () => (printer.documents()[0]?.length === bytes ? true : undefined),
    long,
  );
  const ms = performance.now() - started;
  const seen = createHash('sha256').update(printer.documents()[0]!).digest('hex');
  if (seen !== hash) throw new Error('other bytes came to the IPP printer');
  return ms;
}

export async function benchPrinter(): Promise<void> {
  const say = (text: string): void => console.error(text);
  await using lab = await startLab({ ...product(say), say });
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  await waitFor(
    'the printer stub',
    async () => ((await a.exec('test -e /dev/usb/lp0', { timeoutMs: 60_000 })).code === 0 ? true : undefined),
    { timeoutMs: 300_000 },
  );
  // An IPP printer takes what it recognizes by the first bytes.
  await a.shell(`(echo '%PDF-1.4'; head -c ${bytes - 9} /dev/urandom) > ${jobPath}`, long);
  const hash = (await a.shell(`sha256sum < ${jobPath}`, long)).split(' ')[0] ?? '';
  const results: Record<string, number> = {};
  results['/dev/lp0 at A'] = await printed(a, a.printerFile, `cat ${jobPath} > /dev/lp0`, hash);
  results['stub, local'] = await printed(a, a.printerFile, `cat ${jobPath} > /dev/usb/lp0`, hash);
  results['plain TCP to A'] = await overTcp(lab, a);
  await a.shell('yado migrate b', { timeoutMs: 300_000 });
  results['stub, remote'] = await printed(b, a.printerFile, `cat ${jobPath} > /dev/usb/lp0`, hash);
  results['stub, converted'] = await overIpp(lab, b, hash);
  for (const [name, ms] of Object.entries(results))
    console.log(
      `${name.padEnd(16)} ${ms.toFixed(0).padStart(8)} ms ${(bytes / 1000 / ms).toFixed(2).padStart(8)} MB/s`,
    );
}
