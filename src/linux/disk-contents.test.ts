// What lies on a disk: only zeros are nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { extUuid, readContents, readExtUuid, untilAnswered } from './disk-contents.ts';

const folder = mkdtempSync(join(tmpdir(), 'yado-contents-'));
after(() => rmSync(folder, { recursive: true }));
const size = 8 * 2 ** 20;

/** A disk with `bytes` at `offset`. */
function disk(offset = 0, bytes: string | Buffer = ''): string {
  const path = join(folder, `${Math.random()}`);
  writeFileSync(path, Buffer.concat([Buffer.alloc(offset), Buffer.from(bytes)]));
  truncateSync(path, size);
  return path;
}
const holds = (path: string): string | undefined => readContents(path, size).holds;

test('zeros are nothing, a single byte at either end is something', () => {
  assert.equal(holds(disk()), undefined);
  assert.equal(holds(disk(5000, 'x')), 'data');
  assert.equal(holds(disk(size - 1, 'x')), 'something at its end');
  assert.equal(holds(disk(4 * 2 ** 20, 'x')), undefined, 'the middle is not looked at');
});

test('what has a name is named', async () => {
  assert.equal(holds(disk(512, 'EFI PART')), 'a partition table (GPT)');
  assert.equal(holds(disk(0, 'LUKS\xba\xbe')), 'an encrypted volume (LUKS)');
  assert.equal(holds(disk(536, 'LVM2 001')), 'a volume of LVM');
  assert.equal(holds(disk(0x10040, '_BHRfS_M')), 'a file system (btrfs)');
  const ext4 = disk();
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', ext4]);
  assert.equal(holds(ext4), 'a file system (ext2, ext3 or ext4)');
  const uuid = execFileSync('blkid', ['-p', '-s', 'UUID', '-o', 'value', ext4], { encoding: 'utf8' });
  const { signal } = new AbortController();
  assert.equal(await readExtUuid(ext4, signal), uuid.trim().replaceAll('-', ''));
  assert.equal(extUuid(readContents(ext4, size).head), await readExtUuid(ext4, signal));
  assert.equal(await readExtUuid(disk(), signal), undefined);
});

test('a disk that does not answer is not waited for when nobody wants to know any more', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const abort = new AbortController();
  const asked = [readExtUuid(pipe, abort.signal), untilAnswered(pipe, size, abort.signal)];
  abort.abort(new Error('enough'));
  for (const each of asked) await assert.rejects(each, /enough/);
  openSync(pipe, 'r+'); // lets the threads go, also one that comes only now: it stays open
});
