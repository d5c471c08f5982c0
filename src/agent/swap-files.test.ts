// Swap files of a move: made, taken away when there is room, and left alone while a move is under way. The kernel is a list.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SwapFiles } from './swap-files.ts';

const MiB = 2 ** 20;

/** A kernel with these files (MiB in them by name) and so much memory available; `fails`: a tool that does not work. */
function kernel(used: Record<string, number> = {}) {
  const areas = new Map(Object.entries(used));
  const state = { available: 500, swapCached: 0, fails: '', swapoffLasts: false };
  const said: string[] = [];
  const done: string[] = [];
  const run = async (words: readonly string[], signal?: AbortSignal): Promise<void> => {
    const [tool = ''] = words;
    const name = words.at(-1)?.split('/').at(-1) ?? '';
    done.push(`${tool} ${name}`);
    if (tool === state.fails) throw new Error(`${tool}: it does not work.`);
    if (tool === 'swapon') areas.set(name, 0);
    if (tool !== 'swapoff') return;
    if (state.swapoffLasts && signal) {
      if (!signal.aborted) await once(signal, 'abort');
      throw new Error('killed');
    }
    areas.delete(name);
  };
  const swaps = (): string =>
    `Filename Type Size Used Priority\n/dev/vda2 partition 900 1 -2\n/var/lib/yadokari/other file 9 9 1\n${[
      ...areas,
    ]
      .map(([name, mebibytes]) => `/var/lib/yadokari/${name} file 999 ${mebibytes * 1024} 9\n`)
      .join('')}`;
  const files = new SwapFiles({
    run,
    swaps,
    memory: () => ({
      total: 1000 * MiB,
      available: state.available * MiB,
      swapCached: state.swapCached * MiB,
    }),
    say: line => said.push(line),
    soonMs: 1,
  });
  return { files, areas, state, said, done };
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(1);
}

test('a file is made and swapped to; a second one beside it; then both are taken away', async () => {
  const { files, areas, done, said } = kernel();
  await files.make(MiB, 'a');
  await files.make(MiB, 'a');
  assert.deepEqual([...areas.keys()], ['swap-1', 'swap-2']);
  assert.deepEqual(
    done.filter(each => each.endsWith('swap-1')).map(each => each.split(' ')[0]),
    ['rm', 'fallocate', 'chmod', 'mkswap', 'swapon'],
  );
  files.putAway();
  await until(() => done.at(-1) === 'rm swap-2');
  assert.equal(areas.size, 0);
  assert.match(said.join('\n'), /swap-1 is no more\n.*swap-2 is no more/);
});

test('a file that cannot be made is named with its reason, and nothing of it stays', async () => {
  const { files, state, done } = kernel();
  state.fails = 'fallocate';
  await assert.rejects(files.make(MiB, 'a'), {
    code: 'swapFileFailed',
    message:
      'The image needs room, but a cannot make a swap file in /var/lib/yadokari: fallocate: it does not work.',
  });
  assert.equal(done.at(-1), 'rm swap-1');
});

test('what is in the swap comes back only when there is memory to spare', async () => {
  const { files, areas, state, done } = kernel({ 'swap-1': 450 });
  files.putAway();
  await sleep(10);
  assert.deepEqual(done, [], '50 MiB would be left of 1000');
  state.available = 600;
  await until(() => areas.size === 0);
});

test('what is in memory already needs no room, though its place in the swap is taken', async () => {
  const { files, areas, state } = kernel({ 'swap-1': 450 });
  state.available = 150;
  state.swapCached = 420;
  files.putAway();
  await until(() => areas.size === 0);
});

test('a move holds it: what is under way ends, and goes on behind the move', async () => {
  const { files, areas, state, said, done } = kernel({ 'swap-3': 100 });
  state.swapoffLasts = true;
  files.putAway();
  await until(() => done.length > 0);
  await files.hold();
  assert.deepEqual([areas.size, said], [1, []]);
  await sleep(10);
  assert.equal(done.length, 1, 'nothing is tried meanwhile');
  state.swapoffLasts = false;
  files.putAway();
  await until(() => done.at(-1) === 'rm swap-3');
  await files.hold();
});

test('a swapoff that fails is told and tried again', async () => {
  const { files, areas, state, said } = kernel({ 'swap-1': 1 });
  state.fails = 'swapoff';
  files.putAway();
  await until(() => said.length > 1);
  assert.match(said[0] ?? '', /^swap-1 stays for now: swapoff: it does not work$/);
  state.fails = '';
  await until(() => areas.size === 0);
});
