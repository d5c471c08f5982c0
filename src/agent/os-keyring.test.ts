// What an OS and the computers it comes to know of each other's keys, in files of one folder.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { identityOf, newSecret } from '#managers/identity.ts';
import { ComputerKeyring, readComputerKeys } from './computer-keys.ts';
import { OsKeyring } from './os-keyring.ts';

function folderOf(context: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'yado-keys-'));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}
const osFiles = () => ({ 'os.key': `${newSecret()}\n`, 'computer.key': `${newSecret()}\n` });
const newPublicKey = (): string => identityOf(newSecret()).publicKey;

test('an OS owns the computer it was installed on, and leaves it to its ghost', t => {
  const folder = folderOf(t, osFiles());
  const keys = new OsKeyring('crab', 'a', folder);
  assert.equal(keys.computer.server.ownerOf(keys.identity.publicKey), 'crab');
  const ghost = new ComputerKeyring(folder);
  assert.equal(ghost.server.identity.publicKey, keys.computer.server.identity.publicKey);
  assert.equal(ghost.server.ownerOf(keys.identity.publicKey), 'crab');
  assert.equal(statSync(join(folder, 'computer.json')).mode & 0o777, 0o600);
});

test('the computer it was installed on needs no pairing, until that one has another key', t => {
  const folder = folderOf(t, osFiles());
  const keys = new OsKeyring('crab', 'a', folder);
  assert.equal(keys.pinOf('a'), keys.computer.server.identity.publicKey);
  const home = keys.pinOf('a');
  keys.moved({ secret: newSecret(), owners: [] });
  assert.equal(keys.pinOf('a'), home, 'from elsewhere its disk is asked for there');
  const other = newPublicKey();
  keys.pin({ name: 'a', key: other });
  assert.equal(keys.pinOf('a'), other);
  keys.unpin('a');
  assert.equal(keys.pinOf('a'), home);
});

test('on another computer it answers with the key of that one, also after its agent was started anew', t => {
  const folder = folderOf(t, osFiles());
  const keys = new OsKeyring('crab', 'a', folder);
  const there = { secret: newSecret(), owners: [{ name: 'lobster', key: newPublicKey() }] };
  keys.moved(there);
  const anew = new OsKeyring('crab', 'a', folder);
  for (const each of [keys, anew]) {
    assert.equal(each.computer.server.identity.publicKey, identityOf(there.secret).publicKey);
    assert.equal(each.computer.server.ownerOf(there.owners[0]!.key), 'lobster');
    assert.equal(each.computer.server.ownerOf(each.identity.publicKey), 'crab');
  }
  assert.equal(anew.identity.publicKey, keys.identity.publicKey);
});

test('pins are remembered, replaced by name and forgotten', t => {
  const folder = folderOf(t, osFiles());
  const keys = new OsKeyring('crab', 'a', folder);
  const [first, second] = [newPublicKey(), newPublicKey()];
  keys.pin({ name: 'b', key: first });
  keys.pin({ name: 'b', key: second, address: '192.0.2.2' });
  assert.equal(new OsKeyring('crab', 'a', folder).pinOf('b'), second);
  assert.deepEqual(keys.paired.computers, [{ name: 'b', key: second, address: '192.0.2.2' }]);
  keys.unpin('b');
  assert.equal(keys.pinOf('b'), undefined);
  assert.throws(() => keys.unpin('b'), { code: 'unknownPair' });
  assert.throws(() => keys.unpin('crab'), { code: 'unknownPair' });
});

test('who may use the first computer is kept with the OS, who may use another one is not', t => {
  const folder = folderOf(t, osFiles());
  const keys = new OsKeyring('crab', 'a', folder);
  const home = keys.computer.keys;
  const lobster = { name: 'lobster', key: newPublicKey() };
  keys.own(lobster);
  assert.deepEqual(keys.paired.owners, [lobster]);
  keys.moved({ secret: newSecret(), owners: [] });
  keys.own({ name: 'shrimp', key: newPublicKey() });
  assert.deepEqual(keys.paired.owners, [lobster]);
  assert.equal(home.secret === keys.computer.keys.secret, false);
});

test('keys that are missing or damaged are named', t => {
  const good = osFiles();
  const missing = folderOf(t, { 'os.key': good['os.key'] });
  assert.throws(() => new OsKeyring('crab', 'a', missing), { code: 'badConfig', message: /computer\.key/ });
  const short = folderOf(t, { ...good, 'os.key': 'AAAA\n' });
  assert.throws(() => new OsKeyring('crab', 'a', short), { message: /os\.key .*32 bytes, not 3/ });
  const pins = folderOf(t, { ...good, 'paired.json': '{"computers":[{"name":"b","key":"short"}]}' });
  assert.throws(() => new OsKeyring('crab', 'a', pins), { code: 'badConfig', message: /paired\.json/ });
});

test('a computer without keys makes some, which nobody knows, and keeps them', t => {
  const folder = folderOf(t);
  assert.equal(readComputerKeys(folder), undefined);
  const computer = new ComputerKeyring(folder);
  assert.deepEqual(computer.keys.owners, []);
  assert.deepEqual(new ComputerKeyring(folder).keys, computer.keys);
  computer.own({ name: 'crab', key: newPublicKey() });
  assert.deepEqual(JSON.parse(readFileSync(join(folder, 'computer.json'), 'utf8')), computer.keys);
  computer.disown('crab');
  assert.throws(() => computer.disown('crab'), { code: 'unknownPair' });
});

test('a standby medium has a key of its own, which the OS has pinned; that of the first computer has its own again', t => {
  const folder = folderOf(t, osFiles());
  const keys = new OsKeyring('crab', 'a', folder);
  const made = keys.keysFor({ name: 'b', address: '192.0.2.2' });
  assert.deepEqual(made.owners, [{ name: 'crab', key: keys.identity.publicKey }]);
  assert.equal(keys.pinOf('b'), identityOf(made.secret).publicKey);
  assert.equal(keys.paired.computers[0]?.address, '192.0.2.2');
  assert.throws(() => keys.keysFor({ name: 'b' }), { code: 'pairedAlready' });
  keys.own({ name: 'lobster', key: newPublicKey() });
  const first = keys.keysFor({ name: 'a' });
  assert.equal(identityOf(first.secret).publicKey, keys.computer.server.identity.publicKey);
  assert.deepEqual(
    first.owners.map(each => each.name),
    ['crab', 'lobster'],
  );
});
