// The files of the agent are written anew: other files, of the same content, for the same readers.
import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownFiles } from './own-files.ts';

test('files are replaced by their likes, all else stays', t => {
  const folder = mkdtempSync(join(tmpdir(), 'yado-own-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'memory'), 'pmem\n', { mode: 0o644 });
  writeFileSync(join(folder, 'os.key'), Buffer.from([0, 255, 7]), { mode: 0o600 });
  mkdirSync(join(folder, 'printer0'));
  symlinkSync('/dev/pmem0', join(folder, 'set-aside'));
  const before = ['memory', 'os.key'].map(name => statSync(join(folder, name)).ino);
  ownFiles(folder);
  assert.deepEqual(readdirSync(folder), ['memory', 'os.key', 'printer0', 'set-aside']);
  assert.equal(readFileSync(join(folder, 'memory'), 'utf8'), 'pmem\n');
  assert.deepEqual(readFileSync(join(folder, 'os.key')), Buffer.from([0, 255, 7]));
  assert.deepEqual(
    ['memory', 'os.key'].map(name => (statSync(join(folder, name)).mode & 0o777).toString(8)),
    ['644', '600'],
  );
  assert.notDeepEqual(
    ['memory', 'os.key'].map(name => statSync(join(folder, name)).ino),
    before,
  );
});
