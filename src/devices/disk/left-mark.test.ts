// The mark of an OS that has gone: written only where nothing is, read, taken away.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { luks1, luks2 } from '#linux/fixture-luks.ts';
import {
  clearMark,
  encodeCopyMark,
  encodeMark,
  isCopyMark,
  markBytes,
  markMagic,
  readMark,
  tryMark,
  writeMark,
} from './left-mark.ts';

const folder = mkdtempSync(join(tmpdir(), 'yado-mark-'));
after(() => rmSync(folder, { recursive: true }));

/** A disk whose boot block holds `boot` and whose superblock must not change. */
function disk(boot = Buffer.alloc(1024)): string {
  const path = join(folder, `disk-${Math.random()}`);
  writeFileSync(path, Buffer.concat([boot, Buffer.alloc(3072, 0x53)]));
  return path;
}
const rest = (path: string): Buffer => readFileSync(path).subarray(1024);

test('a disk is marked, marked anew, and cleared; the rest of it stays', () => {
  const path = disk();
  assert.equal(readMark(path), undefined);
  writeMark(path, '{"epoch":7}');
  assert.equal(readMark(path), '{"epoch":7}');
  writeMark(path, '{"epoch":8}');
  assert.equal(readMark(path), '{"epoch":8}');
  clearMark(path);
  assert.equal(readMark(path), undefined);
  assert.ok(
    readFileSync(path)
      .subarray(0, 1024)
      .every(byte => byte === 0),
  );
  assert.deepEqual(rest(path), Buffer.alloc(3072, 0x53));
});

test('a boot loader is not written over, and clearing leaves it alone', () => {
  const loader = Buffer.alloc(1024, 0xeb);
  const path = disk(loader);
  assert.throws(() => writeMark(path, 'x'), /something else lies/);
  clearMark(path);
  assert.deepEqual(readFileSync(path).subarray(0, 1024), loader);
});

test('what does not fit is refused, what cannot be read has no mark', () => {
  assert.equal(encodeMark('x'.repeat(1024)), undefined);
  assert.equal(encodeMark('x')?.length, 1024);
  assert.equal(readMark(join(folder, 'nothing')), undefined);
});

test('the initramfs looks for the same mark', () => {
  const script = readFileSync(
    join(import.meta.dirname, '../../../packaging/files/initramfs-local-premount'),
    'utf8',
  );
  assert.ok(script.includes(`bs=${markBytes} count=1`) && script.includes(`in ${markMagic}*)`));
});

test('a LUKS container is marked right before its data, where no key is', () => {
  for (const [header, data] of [
    [luks1(), 2 ** 21],
    [luks2(), 2 ** 24],
  ] as const) {
    const path = join(folder, `luks-${data}`);
    const before = Buffer.alloc(data + 8192, 0x53);
    header.copy(before);
    writeFileSync(path, before);
    assert.equal(readMark(path), undefined);
    writeMark(path, '{"epoch":7}');
    assert.equal(readMark(path), '{"epoch":7}');
    const marked = readFileSync(path);
    const changed = [...marked.keys()].filter(at => marked[at] !== before[at]);
    assert.ok(changed[0]! >= data - 4096 && changed.at(-1)! < data - 4096 + 1024);
    clearMark(path);
    assert.equal(readMark(path), undefined);
    writeMark(path, encodeCopyMark('crab', 'b'), 'anyway');
    assert.ok(isCopyMark(readMark(path) ?? ''), 'it is overwritten: the header is gone first');
  }
});

test('a container without a gap is not marked', () => {
  const path = join(folder, 'luks-full');
  writeFileSync(path, luks1(8 + 504 * 8));
  assert.throws(() => tryMark(path), /no gap before its data/);
  assert.throws(() => writeMark(path, 'x'), /no gap/);
  assert.equal(readMark(path), undefined);
});

test('a disk that gets a copy is marked as such, whatever was there', () => {
  const path = disk(Buffer.alloc(1024, 0x55));
  writeMark(path, encodeCopyMark('crab', 'b'), 'anyway');
  assert.ok(isCopyMark(readMark(path) ?? ''));
  for (const other of ['{"osId":"crab","epoch":7}', 'null', '"copyOf"', ''])
    assert.ok(!isCopyMark(other), other);
});
