// What a target shows: memory that is copied ahead, then the image.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { ProgressSchema } from '#core/progress.ts';
import { TakingIn } from './taking-in.ts';

test('first what is copied ahead, then the image', () => {
  const taking = new TakingIn({ id: '7', source: 'a', target: 'b', imageBytes: 1000 * 4096 }, 0);
  const open = taking.with({ wireBytes: 0, pagesDone: 0, pagesTotal: 0, pagesParked: 0 }, 0);
  assert.deepEqual([open.phase, open.bytesDone], ['prepare', 0]);
  const ahead = taking.with({ wireBytes: 500 * 4096, pagesDone: 0, pagesTotal: 0, pagesParked: 500 }, 1000);
  assert.deepEqual(
    [ahead.phase, ahead.bytesDone, ahead.bytesTotal, ahead.bytesPerSecond],
    ['pre-copy', 500 * 4096, 1000 * 4096, 500 * 4096],
  );
  assert.match(taking.lines.join('\n'), /still runs there[\s\S]* 50 %[\s\S]*2 MB {3}2 MB\/s/);
  const image = taking.with(
    { wireBytes: 600 * 4096, pagesDone: 300, pagesTotal: 1200, pagesParked: 500 },
    2000,
  );
  assert.deepEqual([image.phase, image.bytesDone, image.bytesTotal], ['send', 300 * 4096, 1200 * 4096]);
  assert.match(taking.lines.join('\n'), /stands still[\s\S]* 25 %/);
  assert.ok(v.is(ProgressSchema, image));
});
