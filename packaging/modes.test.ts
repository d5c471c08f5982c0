// Modes in images and packages do not tell of their builder.
import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { everythingIn, plainModes } from './modes.ts';

test('what a careful umask made, and what a careless one made, become the same', t => {
  const folder = mkdtempSync(join(tmpdir(), 'yado-modes-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const made = { careful: [0o700, 0o600, 0o700], careless: [0o777, 0o666, 0o775] };
  for (const [name, [inner, file, program]] of Object.entries(made)) {
    const at = (path: string): string => join(folder, name, path);
    mkdirSync(at('inner'), { recursive: true });
    writeFileSync(at('inner/.file'), '');
    writeFileSync(at('program'), '');
    symlinkSync('nowhere', at('link'));
    chmodSync(at('inner'), inner!);
    chmodSync(at('inner/.file'), file!);
    chmodSync(at('program'), program!);
  }
  plainModes(folder);
  const modes = Object.keys(made).map(name =>
    everythingIn(join(folder, name))
      .map(path => lstatSync(path))
      .filter(each => !each.isSymbolicLink())
      .map(each => (each.mode & 0o777).toString(8))
      .toSorted(),
  );
  assert.deepEqual(modes[0], ['644', '755', '755', '755']);
  assert.deepEqual(modes[1], modes[0]);
});
