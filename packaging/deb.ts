// The Debian package of the OS side: agent image, service, command line, manual page, completions, initramfs hook. Made by
// dpkg-deb; the same bytes for the same sources, wherever they lie.
import {
  chmodSync,
  cpSync,
  globSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { listCommands } from '../src/cli/command-list.ts';
import { cachePath, hashOf, once, projectRoot } from './cache.ts';
import { run } from './command.ts';
import { bashCompletion, fishCompletion, zshCompletion } from './completions.ts';
import { manPage } from './man-page.ts';
import { everythingIn, plainModes } from './modes.ts';
import { thirdPartyTerms } from './third-party.ts';

/** From packaging/files to the OS. */
const files: readonly (readonly [from: string, to: string, mode: number])[] = [
  ['yado', 'usr/bin/yado', 0o755],
  ['enter', 'usr/lib/yadokari/enter', 0o755],
  ['prepare', 'usr/lib/yadokari/prepare', 0o755],
  ['medium', 'usr/lib/yadokari/medium', 0o755],
  ['own-kernel', 'usr/lib/yadokari/own-kernel', 0o755],
  ['microcode', 'usr/lib/yadokari/microcode', 0o755],
  ['grub-probe', 'usr/lib/yadokari/grub-probe', 0o755],
  ['grub-install', 'usr/sbin/grub-install', 0o755],
  ['lintian-overrides', 'usr/share/lintian/overrides/yadokari', 0o644],
  ['grub.cfg', 'etc/default/grub.d/yadokari.cfg', 0o644],
  ['config.toml', 'etc/yadokari/config.toml', 0o644],
  ['yadod.service', 'usr/lib/systemd/system/yadod.service', 0o644],
  ['yadod-prepare.service', 'usr/lib/systemd/system/yadod-prepare.service', 0o644],
  ['shutdown', 'usr/lib/systemd/system-shutdown/yadokari', 0o755],
  ['modprobe.conf', 'usr/lib/modprobe.d/yadokari.conf', 0o644],
  ['udev.rules', 'usr/lib/udev/rules.d/61-yadokari.rules', 0o644],
  ['initramfs-hook', 'usr/share/initramfs-tools/hooks/yadokari', 0o755],
  ['initramfs-local-top', 'usr/share/initramfs-tools/scripts/local-top/yadokari', 0o755],
  ['initramfs-local-top', 'usr/share/initramfs-tools/scripts/local-block/yadokari', 0o755],
  ['initramfs-local-premount', 'usr/share/initramfs-tools/scripts/local-premount/yadokari', 0o755],
];
const examples = ['10-os0.netdev', '20-nic.network', '30-os0.network'];
const maintainerScripts = ['preinst', 'postinst', 'prerm', 'postrm'];
const doc = 'usr/share/doc/yadokari';

const source = (...path: string[]): string => join(projectRoot, 'packaging', ...path);

/** Version and time (seconds) of the newest entry of the changelog. */
export function newestEntry(changelog: string): { version: string; epochSeconds: number } {
  const version = /^yadokari \(([^)]+)\)/.exec(changelog)?.[1];
  const date = /^ -- .*> {2}(.*)$/m.exec(changelog)?.[1];
  if (version === undefined || date === undefined) throw new Error('packaging/debian/changelog has no entry');
  return { version, epochSeconds: Date.parse(date) / 1000 };
}

/** Builds the package around an agent image, once. Returns its path. `SOURCE_DATE_EPOCH` (seconds) dates what is in it. */
export function buildDeb(image: string): string {
  const newest = newestEntry(readFileSync(source('debian/changelog'), 'utf8'));
  const { version } = newest;
  const epochSeconds = Number(process.env.SOURCE_DATE_EPOCH ?? newest.epochSeconds);
  const recipe = ['packaging', 'src/cli', 'src/core/errors.ts', 'docs'];
  const key = hashOf(
    recipe.map(name => join(projectRoot, name)),
    `${image}\0${epochSeconds}`,
  );
  return once(cachePath('deb', key.slice(0, 16), `yadokari_${version}_amd64.deb`), temporary => {
    const folder = `${temporary}.stage`;
    try {
      stage(folder, image, version, epochSeconds);
      plainModes(folder);
      date(folder, epochSeconds);
      // Lintian wants gzip or xz; of these gzip is the one that is quick to unpack.
      run(['dpkg-deb', '--root-owner-group', '-Zgzip', '-z6', '-b', folder, temporary], {
        env: { SOURCE_DATE_EPOCH: String(epochSeconds) },
      });
    } finally {
      run(['rm', '-rf', folder]);
    }
  });
}

/** Everything that is in the package, as files below `folder`. */
function stage(folder: string, image: string, version: string, epochSeconds: number): void {
  const put = (to: string, mode: number, contents: string | Uint8Array): void => {
    const path = join(folder, to);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
    chmodSync(path, mode);
  };
  for (const [from, to, mode] of files) put(to, mode, readFileSync(source('files', from)));
  put('usr/lib/yadokari/agent.erofs', 0o644, '');
  cpSync(image, join(folder, 'usr/lib/yadokari/agent.erofs'));
  const program = listCommands();
  put('usr/share/man/man1/yado.1.gz', 0o644, gzip(manPage(program, epochSeconds)));
  put('usr/share/bash-completion/completions/yado', 0o644, bashCompletion(program));
  put('usr/share/zsh/vendor-completions/_yado', 0o644, zshCompletion(program));
  put('usr/share/fish/vendor_completions.d/yado.fish', 0o644, fishCompletion(program));
  put(`${doc}/changelog.gz`, 0o644, gzip(readFileSync(source('debian/changelog'))));
  put(`${doc}/copyright`, 0o644, readFileSync(source('debian/copyright')));
  // All of it, for one page leads to the other, and so do the hints of `yado doctor`.
  for (const name of globSync('**/*.{md,svg}', { cwd: join(projectRoot, 'docs') }))
    put(`${doc}/${name}`, 0o644, readFileSync(join(projectRoot, 'docs', name)));
  for (const name of examples)
    put(`${doc}/examples/${name}`, 0o644, readFileSync(source('files/examples', name)));
  for (const { name, text } of thirdPartyTerms()) put(`${doc}/third-party/${name}.gz`, 0o644, gzip(text));
  const kibibytes = run(['du', '-sk', '--apparent-size', folder]).split('\t')[0] ?? '0';
  const control = readFileSync(source('debian/control'), 'utf8')
    .replace('@version@', version)
    .replace('@installed-size@', kibibytes);
  put('DEBIAN/control', 0o644, control);
  put('DEBIAN/conffiles', 0o644, readFileSync(source('debian/conffiles')));
  put('DEBIAN/md5sums', 0o644, checksums(folder));
  for (const name of maintainerScripts) put(`DEBIAN/${name}`, 0o755, readFileSync(source('debian', name)));
}

/** As `gzip -9n`: no name and no time. */
const gzip = (text: string | Uint8Array): Buffer => gzipSync(text, { level: 9 });

/** What `dpkg --verify` compares; settings are not among it. */
function checksums(folder: string): string {
  const names = globSync('usr/**', { cwd: folder }).filter(name => lstatSync(join(folder, name)).isFile());
  return run(['md5sum', ...names.toSorted()], { cwd: folder });
}

/** Gives all files and folders one time. */
function date(folder: string, epochSeconds: number): void {
  for (const path of everythingIn(folder)) lutimesSync(path, epochSeconds, epochSeconds);
}
