// What is worked out once and kept, such as the hash of the agent image.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doneOnce } from './capabilities.ts';

test('it is done once for all who ask', async () => {
  let runs = 0;
  const once = doneOnce(async () => ++runs);
  assert.deepEqual(await Promise.all([once(), once()]), [1, 1]);
  assert.equal(await once(), 1);
});

test('a failure is told to those who waited, and not kept: the next one to ask gets an answer', async () => {
  const answers = [Promise.reject(new Error('EIO')), Promise.resolve('ab')];
  const once = doneOnce(() => answers.shift() ?? Promise.reject(new Error('asked too often')));
  const asked = await Promise.allSettled([once(), once()]);
  assert.deepEqual(
    asked.map(each => each.status),
    ['rejected', 'rejected'],
  );
  assert.equal(await once(), 'ab');
  assert.equal(await once(), 'ab');
});
