// The Debian package of the OS side: agent image, service, command line, initramfs hook. Made by dpkg-deb.
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cachePath, once, projectRoot } from './cache.ts';
import { run } from './command.ts';

const files: readonly (readonly [from: string, to: string, mode: number])[] = [
  ['yado', 'usr/bin/yado', 0o755],
  ['enter', 'usr/lib/yadokari/enter', 0o755],
  ['prepare', 'usr/lib/yadokari/prepare', 0o755],
  ['yadod.service', 'lib/systemd/system/yadod.service', 0o644],
  ['yadod-prepare.service', 'lib/systemd/system/yadod-prepare.service', 0o644],
  ['modprobe.conf', 'lib/modprobe.d/yadokari.conf', 0o644],
  ['initramfs-hook', 'usr/share/initramfs-tools/hooks/yadokari', 0o755],
  ['initramfs-local-top', 'usr/share/initramfs-tools/scripts/local-top/yadokari', 0o755],
];

const postinst = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  update-initramfs -u
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
  systemctl enable yadod.service
fi
`;
const prerm = `#!/bin/sh
set -e
if [ "$1" = remove ]; then systemctl disable yadod.service || true; fi
`;

/** Builds the package around an agent image, once. Returns its path. */
export function buildDeb(image: string): string {
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  return once(
    cachePath('agent', dirname(image).split('/').pop() ?? '', `yadokari_${version}_amd64.deb`),
    temporary => {
      const folder = `${temporary}.stage`;
      const put = (to: string, mode: number, write: (path: string) => void): void => {
        const path = join(folder, to);
        mkdirSync(dirname(path), { recursive: true });
        write(path);
        chmodSync(path, mode);
      };
      try {
        for (const [from, to, mode] of files)
          put(to, mode, path => cpSync(join(projectRoot, 'packaging/files', from), path));
        put('usr/lib/yadokari/agent.erofs', 0o644, path => cpSync(image, path));
        put('usr/share/doc/yadokari/copyright', 0o644, path => cpSync(join(projectRoot, 'LICENSE'), path));
        put('DEBIAN/postinst', 0o755, path => writeFileSync(path, postinst));
        put('DEBIAN/prerm', 0o755, path => writeFileSync(path, prerm));
        put('DEBIAN/control', 0o644, path =>
          writeFileSync(
            path,
            [
              'Package: yadokari',
              `Version: ${version}`,
              'Architecture: amd64',
              'Maintainer: The Yadokari founders <founders@yadokari.invalid>',
              'Depends: dmsetup, initramfs-tools, kmod, coreutils',
              'Recommends: busybox | busybox-static', // in the initramfs of a marked disk
              'Section: admin',
              'Priority: optional',
              'Description: moves this running Linux to another real computer',
              ' The agent, the frozen helper and the stub under the root file system.',
              '',
            ].join('\n'),
          ),
        );
        run(['dpkg-deb', '--root-owner-group', '-Zzstd', '-z1', '-b', folder, temporary]);
      } finally {
        run(['rm', '-rf', folder]);
      }
    },
  );
}
