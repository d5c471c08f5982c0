// What the initramfs puts under the root file system, and when it starts nothing: the script itself, with everything it
// reaches for moved into a folder, and programs that only say what they are asked.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const text = readFileSync(join(import.meta.dirname, 'files/initramfs-local-premount'), 'utf8');
const firstBytes = (start: string): Buffer => Buffer.concat([Buffer.from(start)], 4096);
const marked = firstBytes('YADOKARI{"state":"leaving"}');

interface Around {
  /** What initramfs-tools does to find the root file system; `$3`: whether it may ask a person. */
  readonly setup?: string;
  /** The script that looks beneath it. */
  readonly top?: string;
}

function start(context: TestContext, disk: Buffer, cmdline: string, { setup = '', top }: Around = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-premount-'));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['bin', 'scripts', 'conf', 'sys/vda'])
    mkdirSync(join(folder, name), { recursive: true });
  const put = (name: string, contents: string | Buffer, mode = 0o644): void =>
    writeFileSync(join(folder, name), contents, { mode });
  put('cmdline', `root=UUID=x ${cmdline}\n`);
  put('vda', disk);
  put('sys/vda/size', '2048\n');
  put('scripts/functions', '');
  put('scripts/local', `local_device_setup() { ${setup}\nDEV=${folder}/vda; }\n`);
  const program = (name: string, body: string): void => put(`bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);
  program('modprobe', '');
  program('busybox', 'exit 1');
  program('mount', 'exit 32');
  program('sleep', `touch ${folder}/waits; kill $PPID`);
  program('dmsetup', `[ "$1" = create ] || exit 0\n{ echo "$@"; [ $# -gt 2 ] || cat; } >> ${folder}/table`);
  if (top !== undefined) {
    mkdirSync(join(folder, 'scripts/local-top'));
    put('scripts/local-top/yadokari', `#!/bin/sh\n${top}\n`, 0o755);
  }
  const script = text
    .replaceAll('/proc/cmdline', `${folder}/cmdline`)
    .replaceAll('/scripts/', `${folder}/scripts/`)
    .replaceAll('/conf/', `${folder}/conf/`)
    .replaceAll('/sys/class/block/$name', `${folder}/sys/\${name##*/}`)
    .replaceAll('/run/yado', `${folder}/run`)
    .replaceAll('[ -b ', '[ -e ')
    .replaceAll('/dev/mapper/yado-root ]', `${folder}/vda ]`)
    .replaceAll(/name=\$\{real#\/dev\/\}\n.*\n/g, `name=vda\n`);
  const env = { PATH: `${folder}/bin:/usr/bin:/bin`, ROOT: 'UUID=x' };
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', script], { env, encoding: 'utf8', timeout: 20_000 });
  const read = (name: string): string =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').replaceAll(folder, '') : '';
  return {
    said: stdout + stderr,
    table: read('table'),
    root: read('conf/param.conf'),
    waits: existsSync(join(folder, 'waits')),
  };
}

const hiding = 'create yado-root\n0 2 zero\n2 2046 linear /vda 2\n';
const plain = 'create yado-root --table 0 2048 linear /vda 0\n';

test('where nothing lies before the file system the mark is hidden from it', t => {
  const { table, root, said } = start(t, firstBytes(''), 'quiet');
  assert.deepEqual({ table, root, said }, { table: hiding, root: 'ROOT=/dev/mapper/yado-root\n', said: '' });
});

test('a file system or a boot loader that lies there is seen as it is', t => {
  for (const disk of [firstBytes('XFSB\0\0\x10'), firstBytes('\0\0\0\xeb\x3c')])
    assert.equal(start(t, disk, 'quiet').table, plain);
});

test('an OS that has left is not started, with the stub or without it', t => {
  for (const cmdline of ['quiet', 'yado.root=off']) {
    const { table, root, said, waits } = start(t, marked, cmdline);
    assert.deepEqual([table, root, waits], ['', '', true]);
    assert.match(said, /the standby image is started instead[\s\S]*must not be started a second time/);
  }
});

test('a disk that comes late, in the end through a person in a shell, is looked at too', t => {
  const { root, waits } = start(t, marked, 'quiet', { setup: `[ "\${3:-true}" = true ] || return 1` });
  assert.deepEqual([root, waits], ['', true]);
});

test('what lies beneath an unlocked disk is looked at before it is mounted', t => {
  const { said } = start(t, firstBytes(''), 'quiet', { top: `echo "looks $1 \${2##*/}"` });
  assert.equal(said, 'looks beneath vda\n');
});

test('only a person who accepts that there may be two starts it', t => {
  assert.equal(start(t, marked, 'yado.accept-risk=two-copies').table, hiding);
  const { table, waits } = start(t, marked, 'yado.root=off yado.accept-risk=two-copies');
  assert.deepEqual([table, waits], ['', false]);
});

test('without the stub the OS is started as it was', t => {
  const { table, root, said } = start(t, firstBytes(''), 'yado.root=off');
  assert.deepEqual([table, root], ['', '']);
  assert.match(said, /no stub under the root file system/);
});
