// Makes the lab's OS: a stock Debian on a disk image, with our package installed as a user would install it.
// Three cached layers: Debian's packages (minutes), then our package (a minute), then its settings and the disk (seconds).
// Scenarios that differ in the last one alone share the others.
// Needs root. Mounts only inside mount namespaces of its own, so an interrupt leaves none behind.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { readAptSources } from './apt-sources.ts';
import { cachedDir, contentKey, prune } from './cache.ts';
import { type DiskLayout, isEncrypted, makeDisk, packagesFor } from './disk-layout.ts';
import { LabError } from './lab-error.ts';
import { luksFiles } from './luks-disk.ts';
import {
  basePackages,
  type DebianVersion,
  kernelPackage,
  leftOut,
  maskedUnits,
  type OsFile,
  os,
  osFiles,
  stockDebian,
} from './os-recipe.ts';
import { cacheDir, repositoryDir } from './paths.ts';
import { run } from './process.ts';
import { buildWorkload } from './workload-build.ts';

/** Changed by hand when the way an image is made changes, not only its contents. */
const recipeVersion = '1';
/** Of the layers above Debian's packages. */
const installedVersion = '1';
const diskVersion = '3';

/** What the OS image is made from. */
export interface OsImageRequest {
  /** Path of the product's package; without it a plain Debian. */
  readonly deb?: string | undefined;
  /** Default the stock one. */
  readonly debian?: DebianVersion | undefined;
  /** What the root file system lies on; default the whole disk. */
  readonly layout?: DiskLayout | undefined;
  /** Further Debian packages. */
  readonly include?: readonly string[];
  /** Text of /etc/yadokari/config.toml. */
  readonly config: string;
  /** Further files of the OS. */
  readonly files?: readonly OsFile[];
  /** Told of each slow step. */
  readonly say?: (text: string) => void;
}

/** A finished image: never written to; a computer works on a copy of `disk`. */
export interface OsImage {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  /** What `root=` names. */
  readonly root: string;
}

/** Names of the packages a .deb depends on (first of alternatives, versions left out). */
export function dependencyNames(depends: string): string[] {
  const names = depends.split(',').map(item =>
    item
      .split('|')[0]!
      .replace(/\(.*?\)|:\w+/g, '')
      .trim(),
  );
  return names.filter(name => name !== '');
}

/** Gives the image, making what is missing. @throws LabError when a step fails; the cache stays clean. */
export async function osImage(request: OsImageRequest): Promise<OsImage> {
  if (process.getuid?.() !== 0) throw new LabError('making the OS image needs root', 'run it through sudo');
  const say = request.say ?? (() => {});
  const { deb, debian = stockDebian } = request;
  if (deb !== undefined && !existsSync(deb)) throw new LabError(`no package at ${deb}`, 'npm run build');
  const rootfs = await packageLayer(await osPackages(deb, request), say, debian);
  const layout = request.layout ?? 'disk';
  const loop = readFileSync(join(repositoryDir, 'lab', 'workload', 'console-loop.sh'), 'utf8');
  const files = [...osFiles(loop, debian), ...(isEncrypted(layout) ? luksFiles : [])];
  const settings =
    deb === undefined
      ? []
      : [{ path: '/etc/yadokari/config.toml', text: request.config }, ...(request.files ?? [])];
  const workload = await buildWorkload();
  const installedKey = contentKey(
    installedVersion,
    rootfs,
    workload,
    JSON.stringify([files, maskedUnits]),
    deb === undefined ? '' : readFileSync(deb),
  );
  const key = contentKey(diskVersion, installedKey, JSON.stringify([settings, layout]));
  const dir = await cachedDir(cacheDir(), `image-${key}`, async into => {
    const installed = await cachedDir(cacheDir(), `installed-${installedKey}`, async layer => {
      say('installing the package in the image');
      await installedLayer({ rootfs, into: layer, files, workload, deb });
    });
    utimesSync(installed, new Date(), new Date());
    prune(cacheDir(), 'installed-', 3, path => statSync(path).ctimeMs);
    say('making the disk image');
    await diskLayer({ installed, into, settings, layout });
  });
  utimesSync(dir, new Date(), new Date()); // in use: the last to go
  prune(cacheDir(), 'image-', 6, path => statSync(path).ctimeMs);
  return {
    disk: join(dir, 'disk.raw'),
    kernel: join(dir, 'vmlinuz'),
    initrd: join(dir, 'initrd.img'),
    root: `UUID=${os.fileSystem}`,
  };
}

/** Names of Debian's packages for an OS with ours: what it needs is there before it. */
export async function osPackages(
  deb: string | undefined,
  { debian = stockDebian, include = [], layout }: Pick<OsImageRequest, 'debian' | 'include' | 'layout'> = {},
): Promise<string[]> {
  const depends = deb === undefined ? '' : await run(['dpkg-deb', '--field', deb, 'Depends']);
  const more = layout === undefined ? [] : packagesFor(layout);
  return [
    ...new Set([...basePackages, kernelPackage(debian), ...dependencyNames(depends), ...include, ...more]),
  ];
}

/** Layer 1: Debian's packages, nothing of ours. Gives the directory of its root file system. */
export async function packageLayer(
  packages: readonly string[],
  say: (text: string) => void,
  { release, kernel }: DebianVersion = stockDebian,
): Promise<string> {
  const sources = readAptSources({ release, withBackports: kernel === 'backports' });
  const key = contentKey(recipeVersion, release, [...packages].sort().join(' '), leftOut.join(' '));
  const dir = await cachedDir(cacheDir(), `rootfs-${key}`, async into => {
    say(`installing Debian ${release} (${packages.length} packages and what they need; minutes, once)`);
    const mirrors: string[] = [];
    for (const [name, text] of [
      ['debian.sources', sources.deb822],
      ['debian.list', sources.lines],
    ] as const) {
      if (text === '') continue;
      writeFileSync(join(into, name), text);
      mirrors.push(join(into, name));
    }
    await run([
      'mmdebstrap',
      '--variant=minbase',
      '--mode=root',
      `--include=${packages.join(',')}`,
      ...leftOut.map(path => `--dpkgopt=path-exclude=${path}`),
      '--aptopt=APT::Install-Recommends "false"',
      release,
      join(into, 'root'),
      ...mirrors,
    ]);
  });
  return join(dir, 'root');
}

function writeFiles(root: string, files: readonly OsFile[]): void {
  for (const file of files) {
    const path = join(root, file.path);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    writeFileSync(path, file.text);
    chmodSync(path, file.mode ?? 0o644);
  }
}

/** Layer 2: configuration, workload, and our package as dpkg leaves it. */
async function installedLayer(job: {
  rootfs: string;
  into: string;
  files: readonly OsFile[];
  workload: string;
  deb: string | undefined;
}): Promise<void> {
  const root = join(job.into, 'root');
  await run(['cp', '-a', job.rootfs, root]);
  writeFiles(root, job.files);
  await run([
    'cp',
    '-a',
    ...readdirSync(job.workload).map(name => join(job.workload, name)),
    join(root, 'opt/lab/'),
  ]);
  await inChroot(
    root,
    `passwd -d root && systemctl mask --quiet ${maskedUnits.join(' ')} && ` +
      'systemctl enable --quiet systemd-networkd lab-console',
  );
  if (job.deb === undefined) return;
  await run(['cp', job.deb, join(root, 'var/tmp/yadokari.deb')]);
  await inChroot(
    root,
    'DEBIAN_FRONTEND=noninteractive dpkg -i /var/tmp/yadokari.deb && rm /var/tmp/yadokari.deb',
  );
}

/** Layer 3: what a person writes once the package is there, then a disk with an ext4 file system. */
async function diskLayer(job: {
  installed: string;
  into: string;
  settings: readonly OsFile[];
  layout: DiskLayout;
}): Promise<void> {
  const root = join(job.into, 'root');
  await run(['cp', '-a', join(job.installed, 'root'), root]);
  writeFiles(root, job.settings);
  await run([
    'sh',
    '-c',
    'cp -L "$1"/vmlinuz-* "$2/vmlinuz" && cp -L "$1"/initrd.img-* "$2/initrd.img"',
    'sh',
    join(root, 'boot'),
    job.into,
  ]);
  await makeDisk(root, join(job.into, 'disk.raw'), job.layout);
  rmSync(root, { recursive: true });
}

/** Runs a shell text inside a root file system, with /proc, /sys, /dev there for as long as it runs. */
export async function inChroot(root: string, script: string): Promise<string> {
  const mounts =
    'mount -t proc proc "$1/proc" && mount -t sysfs sysfs "$1/sys" && mount --rbind /dev "$1/dev" && ' +
    'mount -t tmpfs tmpfs "$1/run" && exec chroot "$1" /bin/sh -ec "$2"';
  return run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mounts, 'sh', root, script], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOME: '/root' },
  });
}
