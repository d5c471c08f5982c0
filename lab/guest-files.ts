// Files into and out of a computer through its root command channel.
// Larger ones go in over the lab's network, checked by their sum; without a network the serial port must do.

import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { ExecResult } from './console.ts';
import { LabError } from './lab-error.ts';
import { type LabNetwork, thirdAddress } from './network.ts';
import { endChild } from './process.ts';

/** What this file needs of a computer. */
export interface Shell {
  readonly name: string;
  exec(command: string, options?: { timeoutMs?: number }): Promise<ExecResult>;
  shell(command: string, options?: { timeoutMs?: number }): Promise<string>;
}

/** A text as one word of a shell command. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Writes `contents` to `path` inside, whole or not at all. By serial port about 8 KB/s under emulation. */
export async function putFile(
  to: Shell,
  network: LabNetwork,
  contents: Uint8Array,
  path: string,
  mode: number,
): Promise<void> {
  const part = `/run/lab/put-${randomBytes(4).toString('hex')}`;
  if (contents.length <= 16384 || !(await putByNetwork(to, network, contents, part))) {
    const base64 = Buffer.from(contents).toString('base64');
    await to.shell(`: >${part}`);
    for (let at = 0; at < base64.length; at += 32768) {
      await to.shell(`printf %s '${base64.slice(at, at + 32768)}' | base64 -d >>${part}`);
    }
  }
  await to.shell(`chmod ${mode.toString(8)} ${part} && mv ${part} ${shellWord(path)}`);
}

/** Reads a file inside. @throws LabError with the system's words when it cannot be read. */
export async function getFile(from: Shell, path: string): Promise<Buffer> {
  const { code, bytes } = await from.exec(`cat ${shellWord(path)}`, { timeoutMs: 120_000 });
  if (code !== 0) throw new LabError(`on ${from.name}: ${bytes.toString().trim()}`);
  return bytes;
}

async function putByNetwork(
  to: Shell,
  network: LabNetwork,
  contents: Uint8Array,
  part: string,
): Promise<boolean> {
  const port = String(20000 + randomInt(20000));
  const argv = ['nc', '-N', '-l', thirdAddress, port];
  const server = network.spawn(argv, { stdio: ['pipe', 'ignore', 'ignore'] });
  server.stdin!.on('error', () => {}); // nobody came for it: the sum below says so
  server.stdin!.end(contents);
  try {
    const sum = createHash('md5').update(contents).digest('hex');
    const fetch = `nc -w 20 ${thirdAddress} ${port} </dev/null >${part} && echo '${sum}  ${part}' | md5sum -c`;
    const { code } = await to.exec(fetch, { timeoutMs: 120_000 });
    return code === 0;
  } finally {
    await endChild(server);
  }
}
