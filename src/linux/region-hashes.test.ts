// Hashes of parts of a file, through the page cache and past it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hashParts } from './region-hashes.ts';

// Not in /tmp: a file system in memory knows no reading past the page cache.
const folder = mkdtempSync(join(import.meta.dirname, '../../node_modules/.hashes-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'disk');
const bytes = Buffer.alloc(64 * 1024).map((_, index) => (index * 7) % 251);
writeFileSync(path, bytes);
const sha256 = (start: number, length: number): string =>
  createHash('sha256')
    .update(bytes.subarray(start, start + length))
    .digest('hex');

test('each part has its hash, whichever way it is read', async () => {
  const parts = [
    { start: 0, bytes: 8192 },
    { start: 8192, bytes: 4096 },
    { start: 61_440, bytes: 4096 },
  ];
  for (const from of ['cached', 'disk'] as const) {
    const hashes = await hashParts(path, parts, from);
    assert.deepEqual(
      hashes.map(each => each.toString('hex')),
      parts.map(each => sha256(each.start, each.bytes)),
    );
  }
});

test('what is hidden counts as zeros', async () => {
  const [first, second] = await hashParts(
    path,
    [
      { start: 0, bytes: 4096 },
      { start: 4096, bytes: 4096 },
    ],
    'cached',
    { blankBytes: 1024 },
  );
  const blank = Buffer.concat([Buffer.alloc(1024), bytes.subarray(1024, 4096)]);
  assert.equal(first?.toString('hex'), createHash('sha256').update(blank).digest('hex'));
  assert.equal(second?.toString('hex'), sha256(4096, 4096));
});

test('what lies behind the end is no hash', async () => {
  await assert.rejects(hashParts(path, [{ start: 61_440, bytes: 8192 }], 'cached'), /ends before byte 69632/);
  await assert.rejects(hashParts(join(folder, 'none'), [], 'cached'), { code: 'ENOENT' });
});
