// A server outlives the agent that started it, and answers on; the next agent finds it and ends it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { streamOf } from '#linux/byte-stream.ts';
import { connectTcp } from '#linux/tcp.ts';
import { endFormerServers, noteOf } from './former-servers.ts';
import { ServerProcess } from './server-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'yado-server-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const nbdkit = ['/usr/bin/nbdkit', '/usr/sbin/nbdkit'].find(existsSync);
const source = (path: string): string => new URL(path, import.meta.url).href;

/** An agent of its own that serves whoever connects; says its port. */
const agent = `
import { once } from 'node:events';
import { ServerProcess } from '${source('./server-process.ts')}';
import { setBlocking } from '${source('../../linux/tcp.ts')}';
import { acceptTcp, listenTcp, portOf } from '${source('../../linux/tcp-listener.ts')}';
const listener = listenTcp('127.0.0.1', 0);
console.log(portOf(listener.fd));
setBlocking(listener.fd, false);
const socket = await acceptTcp(listener, new AbortController().signal);
setBlocking(socket.fd, true);
await ServerProcess.start({
  shell: ['sh'], program: '${nbdkit}', programArguments: ['--single', 'memory', '1M'], socket: socket.fd,
  note: '${noteOf(folder, 'crab-disk0-7')}', say: console.error,
});
console.log('serving');
await once(process, 'never');
`;

test('the agent dies: the server goes on, and ends when the next agent says so', {
  skip: nbdkit === undefined ? 'nbdkit is not installed' : false,
}, async () => {
  const program = join(folder, 'agent.mts');
  writeFileSync(program, agent);
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const port = Number((await lines.next()).value);
  using socket = await connectTcp({ ip: '127.0.0.1', port }, 5000);
  const stream = streamOf(socket.fd, 10_000, 'the server', undefined);
  assert.equal((await stream.read(18)).toString('latin1', 0, 16), 'NBDMAGICIHAVEOPT');
  assert.equal((await lines.next()).value, 'serving');
  child.kill('SIGKILL');
  await once(child, 'exit');
  // Flags, and a question (NBD_OPT_STRUCTURED_REPLY) that it answers with an acknowledgement.
  await stream.write(Buffer.from('00000001' + '49484156454f5054' + '00000008' + '00000000', 'hex'));
  assert.equal(
    (await stream.read(20)).toString('hex'),
    '0003e889045565a9' + '00000008' + '00000001' + '00000000',
  );
  const pid = Number(readFileSync(noteOf(folder, 'crab-disk0-7'), 'utf8'));
  assert.ok(existsSync(`/proc/${pid}`));
  await endFormerServers(folder, AbortSignal.timeout(20_000));
  await assert.rejects(stream.read(1));
});

test('a program that is not there is said', async () => {
  const said: string[] = [];
  const server = await ServerProcess.start({
    ...{ shell: ['sh'], program: join(folder, 'none'), programArguments: [], socket: 0 },
    ...{ note: noteOf(folder, 'crab-disk0-8'), say: (text: string) => said.push(text) },
  });
  while (said.length === 0) await sleep(5); // to be killed before its shell has looked would say nothing
  await server.kill();
  assert.match(said.join(), /did not start: no program .*none/);
  await assert.rejects(
    ServerProcess.start({
      ...{ shell: [join(folder, 'none')], program: 'x', programArguments: [], socket: 0 },
      ...{ note: noteOf(folder, 'crab-disk0-9'), say: () => {} },
    }),
    /ENOENT/,
  );
});
