// Programs of the user around a move: which are run, with what, who may say no, and that none holds it up.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitUntil } from '#managers/wait.ts';
import { type HookEvent, Hooks } from './hooks.ts';
import { namesIn, runTool } from './os-tools.ts';

const words = { osId: 'crab', source: 'a', target: 'b' };

/** `programs`: by event and name, what each does in a shell. Those whose name ends with `!` may not be run. */
function hooksOf(context: TestContext, programs: Readonly<Record<string, string>>, scale = 1) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-hooks-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const said: string[] = [];
  const shells: string[] = [];
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
    scale,
    say: line => said.push(line),
    run: (tool, signal) => {
      shells.push(tool.join(' '));
      return runTool(tool, signal, ['/usr/bin/env']);
    },
    namesIn: (path, signal) => namesIn(path, signal, ['/usr/bin/env']),
  });
  const run = (event: HookEvent, signal?: AbortSignal): Promise<void> => hooks.run(event, words, signal);
  return { hooks, run, said, shells, folder, done: () => readFileSync(done, 'utf8').trim().split('\n') };
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

test('where there is nothing to run no shell is read from a disk that may be far away', async t => {
  const { run, shells } = hooksOf(t, {
    'pre-freeze/.hidden': '',
    'pre-freeze/old.dpkg-old': '',
    'pre-move/ask': '',
  });
  await run('pre-freeze');
  await run('post-fail'); // has no folder
  assert.deepEqual(shells, []);
  await run('pre-move');
  assert.equal(shells.length, 1);
});

test('a folder that cannot be read keeps the OS where it is: what is in it might have said no', async t => {
  const { run, folder } = hooksOf(t, { 'pre-move/ask': '' });
  writeFileSync(join(folder, 'pre-freeze'), '');
  await assert.rejects(run('pre-freeze'), { code: 'hookRefused', message: /pre-freeze.*Not a directory/ });
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

test('one that is not done in time is ended; a slow computer has more time', async t => {
  const { run, folder } = hooksOf(
    t,
    { 'pre-freeze/slow': 'echo $$ > $(dirname $0)/../pid; exec sleep 60' },
    0.1,
  );
  await assert.rejects(run('pre-freeze'), { code: 'hookRefused', message: /not done after 1 s; nothing/ });
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  await waitUntil('its end', () => !isRunning(pid) || undefined, { timeoutMs: 5000, everyMs: 20 });
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

test('programs that hear of a move do so when all is back, and are waited for by the next move until it is cancelled', async t => {
  const { hooks, run, done, folder } = hooksOf(t, {
    'post-fail/slow':
      'until [ -e "$(dirname $0)/.go" ]; do sleep 0.1; done; echo heard >> "$(dirname $0)/../done"',
    'pre-move/next': '',
  });
  const back = Promise.withResolvers<void>();
  let limit: AbortSignal | undefined;
  hooks.tell('post-fail', words, signal => {
    limit = signal;
    return back.promise;
  });
  await Promise.resolve();
  const next = hooks.settled(new AbortController().signal).then(() => run('pre-move'));
  const cancelled = new AbortController();
  const waiting = assert.rejects(hooks.settled(cancelled.signal), { message: 'cancelled' });
  cancelled.abort(new Error('cancelled'));
  await waiting;
  assert.deepEqual([done(), limit?.aborted], [[''], false]);
  back.reject(new Error('a disk does not come')); // a limit that is over does the same
  writeFileSync(join(folder, 'post-fail/.go'), '');
  await next;
  assert.deepEqual(done(), ['slow post-fail crab a b', 'heard', 'next pre-move crab a b']);
});

/** Not one that has ended and that nobody has asked about yet. */
const isRunning = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

test('a service that is started keeps nobody waiting', async t => {
  const { run, folder } = hooksOf(t, { 'pre-move/start': 'sleep 60 & echo $! > $(dirname $0)/service' });
  await run('pre-move');
  const service = Number(readFileSync(join(folder, 'pre-move/service'), 'utf8'));
  assert.ok(isRunning(service));
  process.kill(service, 'SIGKILL');
});

test('a cancelled move waits for no program: it is ended, with all that it has started, and leaves no file', async t => {
  const slow = 'cd $(dirname $0); readlink /proc/$$/fd/2 > output; sleep 60 & echo $$ $! > pids; wait';
  const { run, folder } = hooksOf(t, { 'pre-freeze/slow': slow });
  const written = (name: string): string | undefined => {
    const path = join(folder, 'pre-freeze', name);
    return existsSync(path) ? readFileSync(path, 'utf8').trim() || undefined : undefined;
  };
  const cancel = new AbortController();
  const running = assert.rejects(run('pre-freeze', cancel.signal), { message: 'enough' });
  const pids = await waitUntil('a program that waits', () => written('pids'), {
    timeoutMs: 10_000,
    everyMs: 20,
  });
  const programs = pids.split(' ').map(Number);
  t.after(() => {
    for (const pid of programs.filter(isRunning)) process.kill(pid, 'SIGKILL');
  });
  assert.deepEqual(programs.map(isRunning), [true, true]);
  cancel.abort(new Error('enough'));
  await running;
  const areGone = (): true | undefined => (programs.some(isRunning) ? undefined : true);
  await waitUntil('the end of all programs', areGone, { timeoutMs: 5000, everyMs: 20 });
  const output = written('output') ?? '';
  assert.match(output, /^\/run\/yado-hook\.\w+/);
  assert.equal(existsSync(output.replace(/ \(deleted\)$/, '')), false);
});
