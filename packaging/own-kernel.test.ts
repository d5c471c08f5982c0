// The script that takes kernel and modules out of an OS for a standby medium, in a small tree in place of that OS.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const release = '6.99.0+deb14-amd64';
const script = join(import.meta.dirname, 'files/own-kernel');
const busybox = '/bin/busybox';
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** An OS with these modules, packed as Debian packs them from 13 on. */
function osWith(context: TestContext, modules: readonly string[]): { root: string; into: string } {
  const root = mkdtempSync(join(tmpdir(), 'yado-kernel-'));
  context.after(() => rmSync(root, { recursive: true }));
  const folder = join(root, 'lib/modules', release);
  mkdirSync(join(folder, 'kernel'), { recursive: true });
  mkdirSync(join(root, 'boot'));
  writeFileSync(join(root, `boot/vmlinuz-${release}`), 'a kernel');
  for (const name of modules) {
    const file = join(folder, 'kernel', `${name}.ko`);
    execFileSync('gcc', ['-c', '-x', 'c', '-o', file, '-'], { input: `int ${name};` });
    if (name !== 'tls') execFileSync('xz', [file]);
  }
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'])
    writeFileSync(join(folder, name), '');
  execFileSync('depmod', ['-b', root, release], { env: environment });
  const into = join(root, 'into');
  mkdirSync(into);
  writeFileSync(join(root, 'names'), 'erofs\nnd_pmem\nof_another_kernel\ntls\n');
  return { root, into };
}

const run = ({ root, into }: { root: string; into: string }, wanted = release) =>
  spawnSync('sh', [script, wanted, join(root, 'names'), into, busybox], {
    env: { ...environment, YADO_ROOT: root },
    encoding: 'utf8',
  });

test('a standby is given the kernel and those of its modules that it may ask for, unpacked', t => {
  const os = osWith(t, ['erofs', 'nd_pmem', 'tls', 'sound']);
  const { status, stdout, stderr } = run(os);
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
  assert.equal(readFileSync(join(os.into, 'vmlinuz'), 'utf8'), 'a kernel');
  const unpacked = join(os.root, 'unpacked');
  mkdirSync(unpacked);
  execFileSync(busybox, ['cpio', '-i', '--quiet'], {
    cwd: unpacked,
    input: readFileSync(join(os.into, 'modules.img')),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const modules = join(unpacked, 'lib/modules', release);
  const listed = readFileSync(join(modules, 'modules.dep'), 'utf8').trim().split('\n').toSorted();
  assert.deepEqual(listed, ['kernel/erofs.ko:', 'kernel/nd_pmem.ko:', 'kernel/tls.ko:']);
  for (const name of ['erofs', 'tls'])
    assert.equal(readFileSync(join(modules, `kernel/${name}.ko`)).toString('latin1', 1, 4), 'ELF');
});

test('a kernel that cannot start a standby is refused with the reason', t => {
  const os = osWith(t, ['erofs', 'nd_pmem']);
  for (const [wanted, says] of [
    [release, /^the kernel 6\.99\.0\+deb14-amd64 cannot start a standby: it has no tls\n$/],
    ['6.98', /^the kernel 6\.98 cannot start a standby: there is no \S+\/boot\/vmlinuz-6\.98\n$/],
  ] as const) {
    const { status, stdout } = run(os, wanted);
    assert.equal(status, 1);
    assert.match(stdout, says);
    assert.equal(existsSync(join(os.into, 'vmlinuz')), false);
  }
});
