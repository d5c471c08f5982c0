// The mark of an OS that has gone: written only where nothing is, read, taken away.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { luks1Disk, luks2, luks2Disk, luks2Metadata } from '#linux/fixture-luks.ts';
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

test('a disk that gets a copy is marked as such, whatever was there', () => {
  const path = disk(Buffer.alloc(1024, 0x55));
  writeMark(path, encodeCopyMark('crab', 'b'), 'anyway');
  assert.ok(isCopyMark(readMark(path) ?? ''));
  for (const other of ['{"osId":"crab","epoch":7}', 'null', '"copyOf"', ''])
    assert.ok(!isCopyMark(other), other);
});

test('a container is marked behind its keys, and is whole without the mark', () => {
  for (const [before, start] of [
    [luks2Disk(), luks2.dataStart - 4096],
    [luks1Disk(), 2 ** 21 - 4096],
  ] as const) {
    const path = join(folder, 'container');
    writeFileSync(path, before);
    assert.equal(readMark(path), undefined);
    clearMark(path);
    assert.ok(readFileSync(path).equals(before), 'nothing to take away');
    writeMark(path, '{"epoch":7}');
    assert.equal(readMark(path), '{"epoch":7}');
    const marked = readFileSync(path);
    assert.equal(marked.toString('latin1', start, start + 8), markMagic);
    marked.fill(0, start, start + markBytes);
    assert.ok(marked.equals(before), 'nothing else is written');
    clearMark(path);
    assert.ok(readFileSync(path).equals(before));
  }
});

test('a container with no room, or with something there, is not touched', () => {
  const path = join(folder, 'full');
  const other = luks1Disk();
  other.write('somebody', 2 ** 21 - 4096);
  const needy = luks2Disk(luks2Metadata({ segments: {} }));
  for (const [before, says] of [
    [other, /something else lies in the bytes before the data/],
    [needy, /the LUKS container: its data lies in several pieces/],
  ] as const) {
    writeFileSync(path, before);
    assert.throws(() => tryMark(path), says);
    assert.throws(() => writeMark(path, 'x'), says);
    assert.equal(readMark(path), undefined);
    assert.ok(readFileSync(path).equals(before));
  }
  writeMark(path, 'x', 'anyway'); // a copy of a plain disk begins where the container began
  assert.equal(readMark(path), 'x');
  clearMark(path);
  assert.equal(readMark(path), undefined);
});
