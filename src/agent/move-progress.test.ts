// What is shown of a move, phase after phase.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { ProgressSchema } from '#core/progress.ts';
import { MoveProgress } from './move-progress.ts';

const request = { id: '3-1', here: { name: 'a', address: '' }, target: { name: 'b', address: '' } };

test('rounds with bytes, rate and time left; then what was sent in all', () => {
  const shown = new MoveProgress(request, 1000);
  shown.enter('prepare');
  assert.deepEqual(shown.at(1500), {
    ...{ id: '3-1', source: 'a', target: 'b', phase: 'prepare', elapsedMs: 500 },
    ...{ bytesDone: 0, bytesTotal: 0, bytesPerSecond: 0, etaMs: null },
  });
  shown.swapping(10, 40, 1800);
  const { phase, note, bytesDone, bytesTotal } = shown.at(1800);
  assert.deepEqual([phase, bytesDone, bytesTotal], ['prepare', 10, 40]);
  assert.match(note ?? '', /swapping out/);
  shown.copied({ round: 1, bytesDone: 0, bytesTotal: 500 }, 2000);
  assert.equal(shown.at(2000).note, undefined);
  shown.copied({ round: 1, bytesDone: 100, bytesTotal: 500 }, 3000);
  const first = shown.at(3000);
  assert.deepEqual(
    [first.phase, first.round, first.bytesDone, first.bytesTotal, first.bytesPerSecond, first.etaMs],
    ['pre-copy', 1, 100, 500, 100, 4000],
  );
  shown.copied({ round: 2, bytesDone: 150, bytesTotal: 160 }, 4000);
  assert.deepEqual([shown.at(4000).round, shown.at(4000).bytesPerSecond], [2, 0]); // its own rate, not yet known
  shown.enter('freeze');
  assert.deepEqual([shown.at(5000).bytesTotal, shown.at(5000).round], [0, undefined]);
  shown.arrived(777);
  shown.enter('after');
  const last = shown.at(6000);
  assert.deepEqual([last.phase, last.bytesDone, last.bytesTotal, last.etaMs], ['after', 777, 777, null]);
  assert.ok(v.is(ProgressSchema, last));
});

test('a move without pre-copy says so', () => {
  const shown = new MoveProgress(request, 0);
  shown.copied({ round: 0, bytesDone: 0, bytesTotal: 0, without: 'lockdown' }, 10);
  assert.match(shown.at(10).note ?? '', /without copying ahead: lockdown/);
  assert.equal(shown.at(10).round, undefined);
});

test('what is waited for is said: the target that looks, and a quiet moment', () => {
  const shown = new MoveProgress(request, 0);
  shown.copied({ round: 0, bytesDone: 0, bytesTotal: 500 }, 10);
  assert.equal(shown.at(10).note, 'b looks for what it has of the OS');
  shown.copied({ round: 3, bytesDone: 500, bytesTotal: 500, waitsAtMs: 6100 }, 20);
  assert.match(
    shown.at(20).note ?? '',
    /waiting for a quiet moment: now the OS would stand still for 6\.1 s/,
  );
  shown.copied({ round: 4, bytesDone: 0, bytesTotal: 500 }, 30);
  assert.equal(shown.at(30).note, undefined);
});
