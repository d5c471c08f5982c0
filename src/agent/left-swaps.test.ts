// Swap on a disk that stays: off before a move, on again at home or when the move was given up. The kernel is a list.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { SwapThatStays } from '#core/os-state.ts';
import { type BlockDevice, describeName } from '#linux/block.ts';
import { FixtureTree } from '#linux/fixture-tree.ts';
import { type LeftSwap, LeftSwaps } from './left-swaps.ts';

const MiB = 2 ** 20;
const place = { pciAddress: '0000:00:06.0', partition: 2 };
const area: SwapThatStays = { path: '/dev/vda2', kind: 'disk', usedBytes: 60 * MiB, place, priority: 7 };
const other: SwapThatStays = {
  path: '/dev/vda3',
  kind: 'disk',
  usedBytes: 0,
  place: { ...place, partition: 3 },
};

/** A kernel that swaps to vda2 and vda3; at home the disk is vdb. `fails`: a tool that does not work. */
function kernel(saved: readonly LeftSwap[] = []) {
  const used = new Set(['/dev/vda2', '/dev/vda3']);
  const state = { available: 500, fails: '', isThere: true };
  const done: string[] = [];
  const said: string[] = [];
  const files: number[] = [];
  let saves = 0;
  const path = (name: string): string => `sys/devices/pci0000:00/0000:00:06.0/virtio2/block/vdb/${name}`;
  const tree = new FixtureTree(
    Object.fromEntries(
      ['vdb2', 'vdb3'].flatMap(name => [
        [`${path(name)}/dev`, `254:1${name.at(-1)}\n`],
        [`${path(name)}/size`, '8\n'],
        [`sys/class/block/${name}`, { link: path(name) }],
      ]),
    ),
  );
  const swaps = new LeftSwaps(saved, () => saves++, {
    run: async words => {
      done.push(words.join(' '));
      const name = words.at(-1) ?? '';
      if (state.fails === words[0]) throw new Error(`${words[0]}: it does not work.`);
      if (words[0] === 'swapoff') used.delete(name);
      else used.add(name);
    },
    swaps: () =>
      `Filename Type Size Used Priority\n${[...used].map(each => `${each} partition 9 0 -2\n`).join('')}`,
    memory: () => ({ total: 1000 * MiB, available: state.available * MiB, swapCached: 0 }),
    find: async ({ partition }) => {
      if (!state.isThere) throw new Error('the disk at 0000:00:06.0 does not come.');
      return describeName(`vdb${partition}`, tree.root);
    },
    say: line => said.push(line),
  });
  const off = (areas: readonly SwapThatStays[], signal = new AbortController().signal): Promise<void> =>
    swaps.off(areas, 'a', signal, async bytes => void files.push(bytes));
  return {
    swaps,
    off,
    used,
    state,
    done,
    said,
    files,
    saves: () => saves,
    [Symbol.dispose]: () => tree[Symbol.dispose](),
  };
}

test('they go off, and on again at home alone, on the disk under the name it has then', async () => {
  using os = kernel();
  await os.off([area, other]);
  assert.deepEqual([os.used.size, os.files, os.saves()], [0, [], 2]);
  assert.deepEqual(os.swaps.saved, [
    { computer: 'a', path: '/dev/vda2', place, priority: 7 },
    { computer: 'a', path: '/dev/vda3', place: other.place },
  ]);
  os.swaps.on('b');
  await os.swaps.settled();
  assert.equal(os.used.size, 0);
  os.swaps.on('a');
  await os.swaps.settled();
  assert.deepEqual(os.done.slice(2), ['swapon -p 7 /dev/vdb2', 'swapon /dev/vdb3']);
  assert.deepEqual(os.swaps.saved, []);
});

test('where memory is short a swap file takes what comes back', async () => {
  using os = kernel();
  os.state.available = 150;
  await os.off([area, other]);
  assert.deepEqual(os.files, [Math.ceil(60 * MiB * 1.15)]);
});

test('one that cannot be switched off is named, and those before it go on again', async () => {
  using os = kernel();
  os.state.fails = 'swapoff';
  await assert.rejects(os.off([area]), {
    code: 'swapStays',
    message:
      'The OS swaps to /dev/vda2, which stays at a, and it cannot be switched off: swapoff: it does not work.',
  });
  os.used.add('/dev/vdb2'); // it was never off, under any name
  os.swaps.on('a');
  await os.swaps.settled();
  assert.deepEqual([os.done, os.said, os.swaps.saved], [['swapoff /dev/vda2'], [], []]);
});

test('an agent that is started anew at home knows of them; a disk that does not come is told', async () => {
  using os = kernel([{ computer: 'a', path: '/dev/vda2', place }]);
  os.state.isThere = false;
  os.swaps.on('a');
  await os.swaps.settled();
  assert.match(
    os.said.join(),
    /^what was \/dev\/vda2 is not swapped to at a again: the disk .* does not come; swapon -a does it$/,
  );
  assert.deepEqual(os.swaps.saved, []);
});

test('a cancel ends it', async () => {
  using os = kernel();
  await assert.rejects(os.off([area], AbortSignal.abort(new Error('given up'))), /given up/);
  assert.deepEqual(os.done, []);
});

test('a disk that does not answer holds up neither the next area nor the next move for ever', async t => {
  const limit = new AbortController();
  t.after(() => mock.restoreAll());
  mock.method(AbortSignal, 'timeout', () => limit.signal);
  const done: string[] = [];
  const said: string[] = [];
  const saved = [area, other].map(({ path, place: at }) => ({ computer: 'a', path, place: at }));
  const swaps = new LeftSwaps(saved, () => {}, {
    run: (words, signal) => {
      done.push(words.join(' '));
      if (words.at(-1) !== '/dev/vdb2') return Promise.resolve();
      const { promise, reject } = Promise.withResolvers<void>();
      signal?.addEventListener('abort', () => reject(new Error('swapon hangs, and cannot be ended')));
      setImmediate(() => limit.abort());
      return promise;
    },
    swaps: () => '',
    find: async ({ partition }) => ({ name: `vdb${partition}` }) as BlockDevice,
    say: line => said.push(line),
  });
  swaps.on('a');
  await swaps.settled();
  assert.deepEqual(done, ['swapon /dev/vdb2', 'swapon /dev/vdb3']);
  assert.match(said[0] ?? '', /vda2 is not swapped to at a again: swapon hangs.*; swapon -a does it$/);
});
