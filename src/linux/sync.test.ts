// The limit of `sync`: with programs that stand for a disk that answers, one that does not, and none at all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syncDisks } from './sync.ts';

const never = new AbortController().signal;

test('disks that take everything', async () => {
  assert.equal(await syncDisks(60_000, never, ['true']), true);
});

test('a disk that does not answer is waited for as long as was said', async () => {
  assert.equal(await syncDisks(50, never, ['sleep', '60']), false);
});

test('a person who has changed their mind does not wait for a disk', async () => {
  const cancel = new AbortController();
  const waiting = syncDisks(60_000, cancel.signal, ['sleep', '60']);
  cancel.abort(new Error('cancelled'));
  await assert.rejects(waiting, /cancelled/);
  await assert.rejects(syncDisks(60_000, cancel.signal, ['true']), /cancelled/);
});

test('a sync that cannot be is an error', async () => {
  await assert.rejects(syncDisks(60_000, never, ['/nonexistent']), /ENOENT/);
  await assert.rejects(syncDisks(60_000, never, ['false']), /sync ended with 1/);
});
