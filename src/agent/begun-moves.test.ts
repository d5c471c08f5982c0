// The moves that were begun: known again by the next agent, and after the computer was switched off.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, test } from 'node:test';
import { BegunMoves } from './begun-moves.ts';

mock.method(console, 'log', () => {});
const folder = mkdtempSync(join(tmpdir(), 'yado-moves-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const paths = { memory: join(folder, 'moves.json'), disk: join(folder, 'on-disk.json') };
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

test('the next agent knows them, and so does one behind a restart that has only the disk', async () => {
  const moves = new BegunMoves(paths);
  await moves.begin({ epoch: 7, key: key(7) });
  await moves.begin({ epoch: 8, key: key(8) });
  assert.deepEqual(new BegunMoves(paths).keyOf(7n), key(7));
  const restarted = { memory: join(folder, 'again.json'), disk: paths.disk };
  copyFileSync(paths.disk, restarted.memory); // packaging/files/prepare
  assert.deepEqual(new BegunMoves(restarted).all, moves.all);
  assert.equal(moves.keyOf(9n), undefined);
  assert.deepEqual([moves.newestEpoch, new BegunMoves({ ...paths, memory: '/nowhere' }).newestEpoch], [8, 0]);
  for (const path of [paths.memory, paths.disk]) assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('an epoch that was not used up is used again: the newest key counts', async () => {
  const moves = new BegunMoves({ ...paths, memory: join(folder, 'twice.json') });
  await moves.begin({ epoch: 7, key: key(1) });
  await moves.begin({ epoch: 7, key: key(2) });
  assert.deepEqual(moves.keyOf(7n), key(2));
  assert.equal(moves.all.length, 1);
});

test('not without end', async () => {
  const moves = new BegunMoves({ ...paths, memory: join(folder, 'many.json') });
  for (let epoch = 1; epoch <= 40; epoch++) await moves.begin({ epoch, key: key(epoch) });
  assert.equal(moves.all.length, 32);
  assert.equal(moves.keyOf(8n), undefined);
  assert.ok(moves.keyOf(9n));
});

test('only root reads the keys, in memory and on the disk, also over what is there already', async () => {
  const mine = { memory: join(folder, 'private.json'), disk: join(folder, 'private-disk.json') };
  for (const path of Object.values(mine)) writeFileSync(path, '[]', { mode: 0o644 });
  await new BegunMoves(mine).begin({ epoch: 4, key: key(4) });
  for (const path of Object.values(mine)) assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a disk that cannot be written, or a file that is damaged, holds up nothing', async () => {
  const memory = join(folder, 'damaged.json');
  writeFileSync(memory, '[{"epoch":1}]');
  const moves = new BegunMoves({ memory, disk: join(memory, 'no/folder.json') });
  assert.deepEqual(moves.all, []);
  await moves.begin({ epoch: 3, key: key(3) });
  assert.deepEqual(moves.keyOf(3n), key(3));
});
