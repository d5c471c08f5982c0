// For tests only: runs a script of the initramfs with everything it reaches for moved into a folder, and programs that only say
// what they are asked.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

export interface FixtureStart {
  /** Below packaging/files. */
  readonly script: string;
  readonly cmdline: string;
  /** Below the folder: "dev/vda", "sys/class/block/vda/size". */
  readonly files: Readonly<Record<string, string | Buffer>>;
  /** What root= and the tables name, below the folder. */
  readonly device: string;
  /** What `cryptsetup luksDump` prints. */
  readonly dump?: string;
  readonly shell?: readonly string[];
}

export function startScript(context: TestContext, start: FixtureStart) {
  const { script, cmdline, files, device, dump = '', shell = ['/bin/sh'] } = start;
  const folder = mkdtempSync(join(tmpdir(), 'yado-initramfs-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const put = (name: string, contents: string | Buffer, mode = 0o644): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), contents, { mode });
  };
  const moved = (name: string): string =>
    readFileSync(join(import.meta.dirname, 'files', name), 'utf8')
      .replaceAll('/proc/cmdline', `${folder}/cmdline`)
      .replaceAll('. /scripts/', `. ${folder}/scripts/`)
      .replaceAll(/\/(conf|run|cryptroot|sys)\//g, `${folder}/$1/`)
      .replaceAll('mkdir -p /run', `mkdir -p ${folder}/run`)
      .replaceAll(/\/dev\/(?!null)/g, `${folder}/dev/`)
      .replaceAll('[ -b ', '[ -e ');
  for (const name of ['conf/', 'run/', 'dev/mapper/', 'bin/'])
    mkdirSync(join(folder, name), { recursive: true });
  put('cmdline', `root=UUID=x ${cmdline}\n`);
  for (const [name, contents] of Object.entries(files)) put(name, contents);
  put('scripts/functions', `wait_for_udev() { :; }\nresolve_device() { echo ${folder}/${device}; }\n`);
  put('scripts/local', `local_device_setup() { DEV=${folder}/${device}; }\n`);
  put('scripts/yadokari-functions', moved('initramfs-functions'));
  const program = (name: string, body: string): void => put(`bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);
  program('modprobe', '');
  program('busybox', `[ "$1" = blockdev ] && echo "$@" >> ${folder}/asked; exit 1`);
  program('mount', 'exit 32');
  program('cryptsetup', `[ "$1" = luksDump ] && cat <<'END'\n${dump}\nEND`);
  program('sleep', `touch ${folder}/waits; kill $PPID`);
  program(
    'dmsetup',
    `[ "$1" = create ] || exit 0\n: > ${folder}/dev/mapper/$2\n{ echo "$@"; [ $# -gt 2 ] || cat; } >> ${folder}/table`,
  );
  put('script', moved(script));
  const [command = '/bin/sh', ...rest] = shell;
  const env = { PATH: `${folder}/bin:/usr/bin:/bin`, ROOT: 'UUID=x' };
  const { stdout, stderr } = spawnSync(command, [...rest, join(folder, 'script')], {
    env,
    encoding: 'utf8',
    timeout: 20_000,
  });
  const read = (name: string): string =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').replaceAll(folder, '') : '';
  return {
    said: (stdout + stderr).replaceAll(folder, ''),
    table: read('table'),
    asked: read('asked'),
    root: read('conf/param.conf'),
    crypttab: read('cryptroot/crypttab'),
    marked: read('run/yado/marked'),
    waits: existsSync(join(folder, 'waits')),
  };
}
