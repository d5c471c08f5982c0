// The go-between for grub-mkconfig, with a grub-probe that tells what it was asked and a sysfs of two layouts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { projectRoot } from './cache.ts';

/** `files`: below class/block of sysfs. Answers what the real grub-probe was asked, or the go-between says itself. */
function probe(context: TestContext, files: Readonly<Record<string, string>>): (...args: string[]) => string {
  const folder = mkdtempSync(join(tmpdir(), 'yado-grub-'));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, 'class/block', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const real = join(folder, 'real');
  writeFileSync(
    real,
    '#!/bin/sh\n[ "$*" = "--target=device /" ] && echo /dev/mapper/yado-root || echo "asked $*"\n',
  );
  chmodSync(real, 0o755);
  return (...args) => {
    const environment = { PATH: process.env.PATH, YADO_SYS: folder, YADO_GRUB_PROBE: real };
    const done = spawnSync('sh', [join(projectRoot, 'packaging/files/grub-probe'), ...args], {
      env: environment,
      encoding: 'utf8',
    });
    assert.equal(done.stderr, '');
    return done.stdout.trim();
  };
}

test('what is asked about the stub is asked about the partition beneath', t => {
  const ask = probe(t, { 'dm-0/dm/name': 'yado-root\n', 'dm-0/slaves/vda2': '' });
  assert.equal(ask('--target=device', '/'), '/dev/vda2');
  assert.equal(ask('-t', 'fs', '/'), 'asked --device /dev/vda2 --target=fs');
  assert.equal(
    ask('--device', '/dev/mapper/yado-root', '--target=fs_uuid'),
    'asked --device /dev/vda2 --target=fs_uuid',
  );
  assert.equal(ask('--device', '/dev/vda1', '--target=partmap'), 'asked --device /dev/vda1 --target=partmap');
  assert.equal(ask('-t', 'abstraction', '/boot/efi/x'), 'asked --target=abstraction /boot/efi/x');
  assert.equal(ask('--version'), 'asked --version');
});

test('a volume of LVM is called by its name', t => {
  const ask = probe(t, {
    'dm-0/dm/name': 'crab-root\n',
    'dm-1/dm/name': 'yado-root\n',
    'dm-1/slaves/dm-0': '',
  });
  assert.equal(ask('--target=device', '/'), '/dev/mapper/crab-root');
});

test('without a stub nothing changes', t => {
  const ask = probe(t, { 'vda/size': '1\n' });
  assert.equal(ask('--target=fs', '/'), 'asked --target=fs /');
});
