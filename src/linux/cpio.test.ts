// Archives for the kernel's first root file system, read back by cpio, which reads what the kernel does.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { encodeCpio, keysArchive } from './cpio.ts';

function cpio(archive: Buffer, ...options: string[]): string {
  const { status, stdout, stderr } = spawnSync('cpio', [...options, '--quiet'], { input: archive });
  assert.equal(status, 0, String(stderr));
  return stdout.toString();
}

test('a folder and its files come out as they went in, whatever their lengths', () => {
  const files = [0, 1, 2, 3, 4, 5].map(length => ({
    path: `d/${'n'.repeat(length + 1)}`,
    mode: 0o100644,
    data: Buffer.from('x'.repeat(length)),
  }));
  const archive = encodeCpio([{ path: 'd', mode: 0o040755 }, ...files]);
  assert.equal(archive.length % 512, 0);
  assert.deepEqual(cpio(archive, '-t').trim().split('\n'), ['d', ...files.map(each => each.path)]);
  assert.equal(cpio(archive, '-i', '--to-stdout', 'd/nnnnnn'), 'xxxxx');
});

test('the keys of a computer are for root only', () => {
  const keys = { secret: 'A'.repeat(43), owners: [] };
  const archive = keysArchive(keys);
  assert.match(cpio(archive, '-tv'), /^-rw------- .* root +root .* etc\/yadokari\/computer\.json$/m);
  assert.deepEqual(JSON.parse(cpio(archive, '-i', '--to-stdout', 'etc/yadokari/computer.json')), keys);
});
