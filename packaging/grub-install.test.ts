// What stands before GRUB's grub-install: the real one finds the disk beneath the stub in its table of mounts, or is not run.
// In mount namespaces of its own (as root), where a file system in memory stands for that on the stub.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { projectRoot } from './cache.ts';

const stub = '/dev/mapper/yado-root';

/** `device`: what /boot is mounted from. `files`: below class/block of sysfs. `below`: the answer of grub-probe. */
function install(
  context: TestContext,
  device: string,
  files: Readonly<Record<string, string>>,
  { below = '/dev/null', args = ['/dev/vda'] } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-grub-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const put = (name: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  };
  for (const [name, text] of Object.entries(files)) put(`class/block/${name}`, text);
  const boot = join(folder, 'boot');
  mkdirSync(boot);
  const real = put('real', `#!/bin/sh\ngrep " ${boot} " /proc/$$/mountinfo; echo "asked $*"; exit 3\n`);
  const probe = put('probe', `#!/bin/sh\necho ${below}\n`);
  const script = join(projectRoot, 'packaging/files/grub-install');
  const inside = `mount -t tmpfs ${device} ${boot} && shift && exec sh ${script} --boot-directory=${boot} "$@"`;
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', inside, 'sh', '-', ...args],
    {
      env: {
        PATH: process.env.PATH,
        TMPDIR: folder,
        YADO_SYS: folder,
        YADO_GRUB_INSTALL: real,
        YADO_PROBE: probe,
      },
      encoding: 'utf8',
    },
  );
  return {
    status,
    stdout: stdout.trim(),
    stderr: stderr.trim(),
    boot,
    isEmpty: !existsSync(join(boot, 'grub')),
  };
}

test('the real one sees the partition beneath the stub, all that it is asked, and its exit code counts', t => {
  // /dev/mapper/yado-root is no link here, so it is called as the kernel calls it.
  const done = install(
    t,
    stub,
    { 'yado-root/dm/name': 'yado-root\n', 'yado-root/slaves/vda2/size': '' },
    { args: ['--target=i386-pc', '/dev/vda'] },
  );
  assert.equal(done.stderr, '');
  assert.match(done.stdout, / - tmpfs \/dev\/null rw/);
  assert.match(done.stdout, /asked --boot-directory=\S+ --target=i386-pc \/dev\/vda$/);
  assert.equal(done.status, 3);
});

test('on a disk without a stub it is as ever', t => {
  const done = install(t, '/dev/sda1', { 'yado-root/dm/name': 'yado-root\n', 'sda1/size': '' });
  assert.match(done.stdout, / - tmpfs \/dev\/sda1 rw[\s\S]*asked/);
  assert.equal(done.status, 3);
});

for (const { what, files, device, below, says } of [
  {
    what: 'the OS is away from its disk',
    device: stub,
    files: { 'yado-root/dm/name': 'yado-root\n', 'yado-root/slaves/nbd0/size': '' },
    says: /^grub-install: this OS is away from its disk, .* at home again: dpkg --configure -a$/,
  },
  {
    what: 'it lies in an encrypted disk',
    device: '/dev/mapper/crypt',
    files: {
      'crypt/dm/name': 'crypt\n',
      'crypt/slaves/dm-1/size': '',
      'dm-1/dm/name': 'yado-root\n',
      'dm-1/slaves/vda2/size': '',
    },
    says: /cannot be told .* encrypted disk .* yado\.root=off/,
  },
  {
    what: 'nobody knows what lies beneath the stub',
    device: stub,
    files: { 'yado-root/dm/name': 'yado-root\n' },
    below: '',
    says: /it is not known what lies beneath the stub\. Nothing was changed\./,
  },
])
  test(`it is refused before anything is changed where ${what}`, t => {
    const done = install(t, device, files, below === undefined ? {} : { below });
    assert.match(done.stderr, says);
    assert.deepEqual([done.status, done.stdout], [1, '']);
  });
