// Counting writes to a part of a device, by what the kernel would be asked and would say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DmWriteCounter } from './dm-write-count.ts';
import { SystemError } from './system-error.ts';

/** A kernel with these parts counted already; `writes` to whatever is counted. */
function kernel(list = '') {
  const state = { writes: 0, refuses: false, answer: undefined as string | undefined };
  const asked: string[] = [];
  let ids = 7;
  const ask = (message: string): string => {
    asked.push(message);
    if (state.refuses) throw new SystemError('message', 22);
    if (message === '@stats_list') return list;
    if (message.startsWith('@stats_create')) return `${ids++}`;
    if (!message.startsWith('@stats_print')) return '';
    return state.answer ?? `8+8 3 0 24 1 ${state.writes} 0 40 2 0 4 5 3 2\n`;
  };
  return { state, asked, ask };
}

test('writes to a part are counted from the first question on; another part begins anew', () => {
  const { state, asked, ask } = kernel();
  using counter = new DmWriteCounter('yado-root', ask);
  assert.equal(counter.count(4096, 4096), 0);
  state.writes = 5;
  assert.equal(counter.count(4096, 4096), 5);
  assert.equal(counter.count(8192, 4096), 5);
  assert.deepEqual(asked.slice(1), [
    '@stats_create 8+8 /1 yadokari',
    ...['@stats_print 7', '@stats_print 7', '@stats_delete 7'],
    ...['@stats_create 16+8 /1 yadokari', '@stats_print 8'],
  ]);
  counter[Symbol.dispose]();
  assert.equal(asked.at(-1), '@stats_delete 8');
});

test('what an agent that died has left is taken away, what others count is not', () => {
  const { asked, ask } = kernel('0: 0+1024 1024 dmstats -\n3: 8+8 8 yadokari -\n');
  using _ = new DmWriteCounter('yado-root', ask);
  assert.deepEqual(asked, ['@stats_list', '@stats_delete 3']);
});

test('a kernel that does not count, or says something else, is not believed', () => {
  const { state, ask } = kernel();
  using counter = new DmWriteCounter('yado-root', ask);
  for (const answer of ['', 'what\n', '8+8 1 2 3\n', '8+8 1 2 3 4 x 6 7 8 9 10 11\n']) {
    state.answer = answer;
    assert.equal(counter.count(4096, 4096), undefined);
  }
  state.refuses = true;
  assert.equal(counter.count(8192, 4096), undefined);
});
