import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { endFormerServers, noteOf } from './former-servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'yado-servers-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const noteServer = (exportName: string, pid: number): void =>
  writeFileSync(noteOf(folder, exportName), `${pid}\n`);
const signal = (): AbortSignal => AbortSignal.timeout(20_000);

async function started(name: string) {
  const program = join(folder, name);
  copyFileSync('/bin/sleep', program);
  const child = spawn(program, ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  assert.ok(child.pid !== undefined);
  return { child, pid: child.pid, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

test('the servers of an agent that has died have ended before the disk is served anew', async () => {
  using server = await started('nbdkit');
  using other = await started('notours');
  noteServer('crab-disk0-7', server.pid);
  noteServer('crab-disk0-6', other.pid); // its number went to another program
  noteServer('crab-disk0-5', 2 ** 22 + 1); // nobody has it
  writeFileSync(join(folder, 'cut-short.pid'), ''); // an agent died in the middle of that
  const ended = once(server.child, 'exit');
  await endFormerServers(folder, signal());
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  assert.equal(other.child.exitCode, null);
  assert.ok(existsSync(`/proc/${other.pid}`));
  assert.deepEqual(
    readdirSync(folder).filter(name => name.endsWith('.pid')),
    [],
  );
  await endFormerServers(folder, signal()); // nothing is left to end
});
