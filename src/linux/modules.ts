// Kernel modules: which modules a device's modalias needs, what is loaded, and loading by modprobe.
// While user space is frozen modprobe fails: load everything another computer's hardware needs beforehand.
import { execFile } from 'node:child_process';
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { listPciDevices } from '#linux/pci.ts';
import { listNames, OS_ROOT, REAL_ROOT, readText } from '#linux/sysfs.ts';

/** A line of modules.alias: shell pattern and module. `builtin` modules need no loading. */
export interface ModuleAlias {
  readonly pattern: string;
  readonly module: string;
  readonly builtin: boolean;
}

/** Lines "alias PATTERN MODULE" of modules.alias; other lines are skipped. */
export function parseModulesAlias(text: string): ModuleAlias[] {
  return [...text.matchAll(/^alias (\S+) (\S+)$/gm)].map(match => ({
    pattern: match[1] ?? '',
    module: moduleName(match[2] ?? ''),
    builtin: false,
  }));
}

/** "MODULE.alias=PATTERN" entries, NUL-separated, of modules.builtin.modinfo. */
export function parseBuiltinModinfo(text: string): ModuleAlias[] {
  return text.split('\0').flatMap(entry => {
    const found = /^([^.=]+)\.alias=(.+)$/.exec(entry);
    return found === null
      ? []
      : [{ pattern: found[2] ?? '', module: moduleName(found[1] ?? ''), builtin: true }];
  });
}

/** Modules (loadable and built in) for one modalias, in table order without repeats. */
export function modulesFor(modalias: string, table: readonly ModuleAlias[]): ModuleAlias[] {
  const found = table.filter(alias => matchesPattern(modalias, alias.pattern));
  return [...new Map(found.map(alias => [alias.module, alias])).values()];
}

/**
 * fnmatch(3) without flags, as modprobe uses it: `*`, `?`, `[…]`. Goes back to the last star only, so its time is
 * bounded by the product of the lengths: modaliases come from other computers.
 */
function matchesPattern(modalias: string, pattern: string): boolean {
  const literal = pattern.search(/[*?[]/);
  if (literal < 0) return modalias === pattern;
  if (!modalias.startsWith(pattern.slice(0, literal))) return false; // most of some 20 000 patterns end here
  const parts = pattern.match(/\[!?[^\]]+\]|./gs) ?? [];
  let at = 0;
  let part = 0;
  let star: { readonly part: number; readonly at: number } | undefined;
  while (at < modalias.length) {
    const wanted = parts[part];
    if (wanted === '*') {
      star = { part: ++part, at };
    } else if (wanted !== undefined && matchesPart(modalias[at] ?? '', wanted)) {
      part++;
      at++;
    } else if (star !== undefined) {
      star = { part: star.part, at: star.at + 1 };
      ({ part, at } = star);
    } else {
      return false;
    }
  }
  return parts.slice(part).every(rest => rest === '*');
}

function matchesPart(character: string, part: string): boolean {
  if (part === '?') return true;
  if (part.length === 1) return part === character;
  const negated = part.startsWith('[!');
  const members = part.slice(negated ? 2 : 1, -1);
  let inside = false;
  for (let i = 0; i < members.length; i++) {
    const first = members[i] ?? '';
    const isRange = members[i + 1] === '-' && i + 2 < members.length;
    const last = isRange ? (members[i + 2] ?? '') : first;
    if (first <= character && character <= last) inside = true;
    if (isRange) i += 2;
  }
  return inside !== negated;
}

/**
 * The running kernel's alias table; empty when its modules are not installed. Never read while others wait: the tables
 * lie on a disk, and it may be the caller who has to bring that disk back.
 */
export async function readModuleAliases(
  root = REAL_ROOT,
  kernelRelease: string = release(),
): Promise<ModuleAlias[]> {
  const read = (name: string): Promise<string> =>
    readFile(join(root, 'lib/modules', kernelRelease, name), 'utf8').catch(() => '');
  return [
    ...parseModulesAlias(await read('modules.alias')),
    ...parseBuiltinModinfo(await read('modules.builtin.modinfo')),
  ];
}

/** What drivers take that a kernel may have built in, by their names below /sys/bus/pci/drivers. */
const builtinDrivers: Readonly<Record<string, string>> = { 'virtio-pci': 'pci:v00001AF4d*' };

/**
 * Aliases as the drivers of this kernel show them at work: of those that are built in modules.builtin.modinfo does not tell
 * for which devices they are before about 6.18 (virtio_pci of Debian 13). A driver that has taken a card takes its like.
 */
export function driverAliases(root = REAL_ROOT): ModuleAlias[] {
  const alias = (driver: string, pattern: string): ModuleAlias => ({
    pattern,
    module: moduleName(driver),
    builtin: true,
  });
  const known = listNames(root, 'sys/bus/pci/drivers')
    .filter(name => Object.hasOwn(builtinDrivers, name))
    .map(name => alias(name, builtinDrivers[name] ?? ''));
  const atWork = listPciDevices(root).flatMap(({ driver, modalias }) =>
    driver === undefined ? [] : [alias(driver, modalias.replace(/sv.*$/, 'sv*'))],
  );
  return [...known, ...atWork];
}

/** Names in /proc/modules, underscore form; none for a kernel that loads no modules. */
export function readLoadedModules(root = REAL_ROOT): Set<string> {
  const text = readText(root, 'proc/modules') ?? '';
  return new Set(
    text
      .split('\n')
      .flatMap(line => line.split(' ', 1))
      .filter(name => name !== ''),
  );
}

/**
 * The modalias of the device that the virtio driver finds in a PCI function, and needs another module for; undefined
 * when it is none. Device ids from 0x1040 on name the type (virtio 1.0, 4.1.2.1), older ones in the subsystem id.
 */
export function virtioModalias(pci: {
  readonly vendor: number;
  readonly device: number;
  readonly subsystemDevice: number;
}): string | undefined {
  if (pci.vendor !== 0x1af4) return undefined;
  const type = pci.device >= 0x1040 ? pci.device - 0x1040 : pci.subsystemDevice;
  return `virtio:d${type.toString(16).toUpperCase().padStart(8, '0')}v00001AF4`;
}

/** Module names as the kernel shows them: '-' becomes '_'. */
export function moduleName(name: string): string {
  return name.replaceAll('-', '_');
}

/**
 * Loads modules (names or modaliases) with their dependencies by one `modprobe -a`.
 * @param root where lib/modules lies, when not below /
 * @throws Error of node:child_process with modprobe's words in `stderr`
 */
export async function loadModules(
  names: readonly string[],
  options: { readonly root?: string; readonly signal?: AbortSignal } = {},
): Promise<void> {
  if (names.length === 0) return;
  const where = options.root === undefined ? [] : ['--dirname', options.root];
  await promisify(execFile)('modprobe', [...where, '--all', '--', ...names], {
    ...(options.signal && { signal: options.signal }),
  });
}

/** Loads one module with parameters, e.g. ('vfb', ['vfb_enable=1']). Already loaded: no change, no error. */
export async function loadModule(name: string, parameters: readonly string[] = []): Promise<void> {
  await promisify(execFile)('modprobe', ['--', name, ...parameters]);
}

/** Why the running kernel has no such module, neither loaded nor built in nor to be loaded; undefined when it has. */
export async function lackOfModule(
  name: string,
  root = REAL_ROOT,
  kernelRelease: string = release(),
): Promise<string | undefined> {
  if (readLoadedModules(root).has(moduleName(name))) return undefined;
  const read = (file: string): Promise<string> =>
    readFile(join(root, 'lib/modules', kernelRelease, file), 'utf8').catch(() => '');
  const lists = `${await read('modules.dep')}\n${await read('modules.builtin')}`;
  const found = [...lists.matchAll(/([\w-]+)\.ko(?:\.\w+)?(?::|$)/gm)].some(
    ([, file = '']) => moduleName(file) === moduleName(name),
  );
  return found ? undefined : `there is no module ${name} for ${kernelRelease}`;
}

/** Loads modules of the OS, by name or modalias, but for what its administrator has blacklisted. Runs its own modprobe. */
export async function loadModulesOfOs(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const modprobe = ['/sbin/modprobe', '--all', '--use-blacklist', '--'];
  await promisify(execFile)('/bin/busybox', ['chroot', OS_ROOT, ...modprobe, ...names]);
}

/** What a file of modprobe.d says so that nobody loads these, whatever asks for them; none when there is nothing to say. */
export const keepOutLines = (modules: readonly string[]): string =>
  modules
    .map(
      name => `# cannot be taken away again before a move\nblacklist ${name}\ninstall ${name} /bin/false\n`,
    )
    .join('');

/**
 * From now on, until it is started anew, the OS does not load these modules. One that is loaded and has no card is taken away.
 * @throws Error of node:child_process with the words of modprobe or udevadm in `stderr`
 */
export async function keepModulesOut(modules: readonly string[]): Promise<void> {
  if (modules.length === 0) return;
  const inOs = (command: readonly string[]) =>
    promisify(execFile)('/bin/busybox', ['chroot', OS_ROOT, ...command]);
  const loaded = readLoadedModules();
  for (const name of modules.filter(each => loaded.has(each)))
    await inOs(['/sbin/modprobe', '--remove', name]);
  await mkdir(join(OS_ROOT, 'run/modprobe.d'), { recursive: true });
  // Not called as the file of the package, which it would stand in front of.
  await writeFile(join(OS_ROOT, 'run/modprobe.d/yadokari-lasting.conf'), keepOutLines(modules));
  // udev goes on with what it has read until one of the folders has changed that it knew, and this one may be new.
  const now = new Date();
  for (const folder of ['etc/modprobe.d', 'lib/modprobe.d'])
    await utimes(join(OS_ROOT, folder), now, now).catch(() => {});
  await inOs(['/bin/udevadm', 'control', '--reload']);
}
