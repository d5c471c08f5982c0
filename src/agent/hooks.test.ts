// Programs of the user around a move: which are run, with what, who may say no, and that none holds it up.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { type HookEvent, Hooks } from './hooks.ts';

const words = { osId: 'crab', source: 'a', target: 'b' };

/** `programs`: by event and name, what each does in a shell. Those whose name ends with `!` may not be run. */
function hooksOf(context: TestContext, programs: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-hooks-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const said: string[] = [];
  const done = join(folder, 'done');
  writeFileSync(done, '');
  for (const [path, text] of Object.entries(programs)) {
    const file = join(folder, path.replace('!', ''));
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(
      file,
      `#!/bin/sh\necho "\${0##*/} $YADO_EVENT $YADO_OS $YADO_SOURCE $YADO_TARGET" >> ${done}\n${text}\n`,
    );
    chmodSync(file, path.endsWith('!') ? 0o644 : 0o755);
  }
  const hooks = new Hooks({
    folder,
    say: line => said.push(line),
    run: async (tool, signal) => {
      const child = promisify(execFile)('/usr/bin/env', tool, {
        ...(signal && { signal }),
        killSignal: 'SIGKILL',
      });
      await child.catch((error: Error & { stderr?: string }) => {
        throw new Error(error.stderr?.trim() || error.message);
      });
    },
  });
  const run = (event: HookEvent, signal?: AbortSignal): Promise<void> => hooks.run(event, words, signal);
  return { run, said, done: () => readFileSync(done, 'utf8').trim().split('\n') };
}

test('those of the event are run in the order of their names, and are told who moves from where to where', async t => {
  const { run, done } = hooksOf(t, {
    'pre-move/20-second': '',
    'pre-move/10-first': '',
    'pre-move/15-not!': '',
    'pre-move/30-old.dpkg-old': '',
    'pre-freeze/other': '',
  });
  await run('pre-move');
  await run('post-arrive'); // has no folder
  assert.deepEqual(done(), ['10-first pre-move crab a b', '20-second pre-move crab a b']);
});

test('one that fails before the freeze keeps the OS where it is, and says why in its last line', async t => {
  const { run, done } = hooksOf(t, {
    'pre-freeze/10-database': 'echo looking; echo "a backup is running\x1b[2J" >&2; exit 3',
    'pre-freeze/20-never': '',
  });
  await assert.rejects(run('pre-freeze'), {
    code: 'hookRefused',
    family: 'refused',
    message:
      'A program of yours does not let the OS leave a (pre-freeze): 10-database ended with 3: a backup is running[2J; nothing was stopped.',
  });
  assert.equal(done().length, 1);
});

test('behind a move a failure is told, and changes nothing', async t => {
  const { run, said } = hooksOf(t, { 'post-arrive/mail': 'exit 1', 'post-fail/mail': 'kill -9 $$' });
  await run('post-arrive');
  await run('post-fail');
  assert.match(
    said.join('\n'),
    /hooks-\w+\/post-arrive failed: mail ended with 1\n.*post-fail failed: mail ended with 137: Killed$/,
  );
});

test('a service that is started keeps nobody waiting; a cancelled move waits for no program', async t => {
  const { run } = hooksOf(t, { 'pre-move/start': 'sleep 5 &', 'pre-freeze/slow': 'exec sleep 30' });
  const began = performance.now();
  await run('pre-move');
  const cancel = new AbortController();
  const running = assert.rejects(run('pre-freeze', cancel.signal), { message: 'enough' });
  cancel.abort(new Error('enough'));
  await running;
  assert.ok(performance.now() - began < 4000);
});
