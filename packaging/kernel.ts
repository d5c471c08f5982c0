// Debian's kernel package, unpacked: the kernel and modules of the standby image. Taken from the machine's own apt
// sources; the release is the one `linux-image-amd64` stands for there, so that it is also that of a fresh Debian OS.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cachePath, once } from './cache.ts';
import { run } from './command.ts';

export interface Kernel {
  /** Like `6.1.0-56-amd64`. */
  readonly release: string;
  readonly vmlinuz: string;
  /** Folder that holds `lib/modules/<release>` with modules.dep. */
  readonly root: string;
}

/** Downloads and unpacks the kernel package once. */
export function debianKernel(): Kernel {
  const wanted = /Depends: (linux-image-[0-9][^\s,]*)/.exec(
    run(['apt-cache', 'depends', 'linux-image-amd64']),
  )?.[1];
  if (!wanted) throw new Error('apt knows no linux-image-amd64; run `apt-get update`');
  const release = wanted.replace('linux-image-', '');
  const version =
    /Version: (.*)/.exec(run(['apt-cache', 'show', '--no-all-versions', wanted]))?.[1] ?? 'unknown';
  const root = once(
    cachePath('kernel', `${release}_${version.replace(/[^0-9a-z.+~-]/gi, '_')}`),
    temporary => {
      const packages = join(temporary, 'package');
      mkdirSync(packages, { recursive: true });
      run(['apt-get', 'download', '-q', '-o', 'APT::Sandbox::User=root', wanted], { cwd: packages });
      run(['dpkg-deb', '-x', join(packages, readdirSync(packages)[0] ?? ''), temporary]);
      run(['rm', '-rf', packages]);
      run(['/sbin/depmod', '-b', temporary, release]);
    },
  );
  return { release, root, vmlinuz: join(root, 'boot', `vmlinuz-${release}`) };
}
