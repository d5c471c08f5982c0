// The keyring of an OS for tests, in a folder of its own. Used by tests only.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeOs } from '#managers/fake-keys.ts';
import { newSecret } from '#managers/identity.ts';
import { OsKeyring } from './os-keyring.ts';

/** Of the OS "crab", paired with these computers, whose key is that of `fakeComputer`. */
export function fakeKeyring(...computers: readonly string[]): OsKeyring {
  const folder = mkdtempSync(join(tmpdir(), 'yado-keyring-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['os.key', 'computer.key']) writeFileSync(join(folder, name), newSecret());
  const keyring = new OsKeyring('crab', 'a', folder);
  for (const name of computers) keyring.pin({ name, key: fakeOs.pinOf(name) ?? '' });
  return keyring;
}
