// Makes the initramfs of the standby: busybox, a few modules and standby/init. It is small: the agent comes from the
// agent image, which lies in set-aside memory (after kexec) or is appended as a second archive (at a cold boot).
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cachePath, hashOf, once, projectRoot } from '../packaging/cache.ts';
import { run } from '../packaging/command.ts';
import type { Kernel } from '../packaging/kernel.ts';
import { plainModes } from '../packaging/modes.ts';
import { lendableModules, moduleNames, standbyModules } from './modules.ts';

/** Module files (relative to lib/modules/<release>) of `names` with all they depend on. */
export function moduleFiles(modulesDep: string, names: readonly string[]): string[] {
  const dependencies = new Map<string, string[]>();
  const byName = new Map<string, string>();
  for (const line of modulesDep.split('\n')) {
    const [file, rest] = line.split(':');
    if (file === undefined || rest === undefined) continue;
    dependencies.set(file, rest.trim().split(' ').filter(Boolean));
    byName.set((file.split('/').pop() ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_'), file);
  }
  const wanted = new Set<string>();
  const add = (file: string): void => {
    if (wanted.has(file)) return;
    wanted.add(file);
    for (const dependency of dependencies.get(file) ?? []) add(dependency);
  };
  for (const name of names) {
    const file = byName.get(name.replaceAll('-', '_'));
    if (file) add(file); // a name that is not there is built in
  }
  return [...wanted].sort();
}

/**
 * What the agent is told of the drivers of a standby (src/linux/standby-drivers.ts): the devices that its modules are for, and what
 * its kernel has built in.
 */
export function driverTable(modulesAlias: string, builtin: string, builtinModinfo: string): string {
  const named = [...builtinModinfo.matchAll(/([^.=\0]+)\.alias=([^\0]+)/g)].map(
    ([, module, pattern]) => `alias ${pattern} ${module}`,
  );
  const lines = [
    ...[...modulesAlias.split('\n'), ...named].filter(line => /^alias [a-z]+:/.test(line)),
    ...[...builtin.matchAll(/([^/\n]+)\.ko$/gm)].map(([, name = '']) => `builtin ${name}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The same of an initramfs that was built: of what is in it, whatever was asked for. */
export function driversIn(initrd: string): string {
  const read = (name: string): string =>
    run(['sh', '-c', 'zstd -dcq "$1" | cpio --extract --to-stdout --quiet "*/$2"', 'sh', initrd, name]);
  const table = driverTable(read('modules.alias'), read('modules.builtin'), read('modules.builtin.modinfo'));
  if (!table.startsWith('alias ')) throw new Error(`${initrd} holds no modules`);
  return table;
}

/** Packs a folder as a cpio archive (newc), with fixed times and owner. */
export function packCpio(folder: string, out: string): void {
  run([
    'sh',
    '-c',
    `cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --null --create --format=newc --owner=0:0 --reproducible --quiet > "$2"`,
    'sh',
    folder,
    out,
  ]);
}

/** Builds the small initramfs once for this kernel. Returns its path. */
export function buildStandbyInitrd(kernel: Kernel): string {
  const recipe = [
    'standby/init',
    'standby/prompt',
    'standby/modules.ts',
    'packaging/modes.ts',
    'src/core/device-class.ts',
    'packaging/files/enter',
    'packaging/files/yado',
  ].map(name => join(projectRoot, name));
  const key = hashOf([...recipe, '/bin/busybox'], kernel.root).slice(0, 16);
  return once(cachePath('standby', key, 'initrd.img'), temporary => {
    const folder = `${temporary}.stage`;
    try {
      for (const name of ['bin', 'dev', 'proc', 'run', 'sys'])
        mkdirSync(join(folder, name), { recursive: true });
      cpSync('/bin/busybox', join(folder, 'bin/busybox'));
      cpSync(join(projectRoot, 'standby/init'), join(folder, 'init'));
      chmodSync(join(folder, 'init'), 0o755);
      for (const file of ['standby/prompt', 'packaging/files/enter', 'packaging/files/yado']) {
        const program = join(folder, 'bin', basename(file));
        cpSync(join(projectRoot, file), program);
        chmodSync(program, 0o755);
      }
      const from = join(kernel.root, 'lib/modules', kernel.release);
      const to = join(folder, 'lib/modules', kernel.release);
      const names = Object.values(standbyModules).flat();
      for (const file of moduleFiles(readFileSync(join(from, 'modules.dep'), 'utf8'), moduleNames)) {
        mkdirSync(dirname(join(to, file)), { recursive: true });
        cpSync(join(from, file), join(to, file));
        if (file.endsWith('.xz')) run(['xz', '-d', join(to, file)]); // what is packed twice does not get smaller
      }
      for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'])
        cpSync(join(from, name), join(to, name));
      writeFileSync(join(folder, 'lib/modules/wanted'), `${names.join('\n')}\n`);
      for (const [name, modules] of Object.entries(lendableModules))
        writeFileSync(join(folder, 'lib/modules', `lend-${name}`), `${modules.join('\n')}\n`);
      run(['/sbin/depmod', '-b', folder, kernel.release]);
      plainModes(folder);
      packCpio(folder, `${temporary}.cpio`);
      run(['sh', '-c', `zstd -q -19 -f "$1" -o "$2" && rm "$1"`, 'sh', `${temporary}.cpio`, temporary]);
    } finally {
      run(['rm', '-rf', folder]);
    }
  });
}
