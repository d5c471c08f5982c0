// The Debian package in the lab's OS before it is started: what lintian says of it, what it puts into the OS and into its
// initramfs, and that nothing of it is left. No computer is switched on.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inChroot, osPackages, packageLayer } from '#lab/os-image.ts';
import { cacheDir } from '#lab/paths.ts';
import { run, runAny } from '#lab/process.ts';
import { product } from '#lab/product.ts';

const { deb } = product(text => console.log(`# ${text}`));
let root = '';
let untouched = '';

const dpkg = (what: string): Promise<string> => inChroot(root, `DEBIAN_FRONTEND=noninteractive dpkg ${what}`);

/** Every file with its checksum, folders and links too, and what is in the initramfs; not dpkg's own records. */
const inventory = (): Promise<string> =>
  inChroot(
    root,
    `all="-xdev ( -path /var/lib/dpkg -o -path /var/log -o -path /var/tmp -o -path /boot/initrd* ) -prune"
     set -f
     find / $all -o -printf '%m %U:%G %p %l\\n' | sort
     find / $all -o -type f -exec sha256sum {} + | sort
     set +f
     lsinitramfs /boot/initrd.img-* | sort`,
  );

before(async () => {
  mkdirSync(cacheDir(), { recursive: true });
  root = mkdtempSync(join(cacheDir(), 'making-package-'));
  await run(['cp', '-a', `${await packageLayer(await osPackages(deb), console.log)}/.`, root]);
  await run(['cp', deb, join(root, 'var/tmp/yadokari.deb')]);
  untouched = await inventory();
});

after(() => rmSync(root, { recursive: true, force: true }));

test('lintian finds nothing wrong with the package', async () => {
  const { code, output } = await runAny(['lintian', '--allow-root', '--fail-on', 'error,warning', deb]);
  assert.deepEqual([code, output], [0, '']);
});

test('installed, it is in the initramfs, starts with the OS, and says what is to be done next', async () => {
  const said = await dpkg('-i /var/tmp/yadokari.deb');
  assert.match(
    said,
    /fill in \/etc\/yadokari\/config\.toml, set up the network and the kernel parameters, then restart/,
  );
  const initramfs = (await inChroot(root, 'lsinitramfs /boot/initrd.img-*')).split('\n');
  for (const path of [
    'scripts/local-premount/yadokari',
    'usr/sbin/dmsetup',
    'usr/lib/udev/rules.d/61-yadokari.rules',
  ])
    assert.ok(initramfs.includes(path), path);
  for (const module of ['dm-mod', 'nd_e820', 'vfb'])
    assert.ok(
      initramfs.some(each => each.endsWith(`/${module}.ko`)),
      module,
    );
  assert.equal(await inChroot(root, 'systemctl is-enabled yadod.service'), 'enabled\n');
  assert.equal(await inChroot(root, 'dpkg --verify yadokari | grep -v /usr/share || true'), '');
  assert.match(
    await inChroot(root, 'yado status 2>&1 || echo "exit $?"'),
    /not set up yet; fill in \/etc\/yadokari\/config\.toml, then restart this computer once\..*\nexit 3/,
  );
});

test('removed, the stub is out of the initramfs; settings and keys stay', async () => {
  const key = '/var/lib/yadokari/os.key';
  await inChroot(
    root,
    `mkdir -p $(dirname ${key}); echo secret > ${key}; echo '# mine' >> /etc/yadokari/config.toml`,
  );
  await dpkg('--remove yadokari');
  assert.doesNotMatch(await inChroot(root, 'lsinitramfs /boot/initrd.img-*'), /yadokari/);
  assert.match(await inChroot(root, `cat ${key} /etc/yadokari/config.toml`), /secret[\s\S]*# mine/);
});

test('purged, nothing is left', async () => {
  await dpkg('--purge yadokari');
  const [before, now] = [untouched, await inventory()].map(text => new Set(text.split('\n')));
  assert.deepEqual(
    [...(now ?? [])].filter(line => !before?.has(line)),
    [],
  );
  assert.deepEqual(
    [...(before ?? [])].filter(line => !now?.has(line)),
    [],
  );
});

test('an OS that is away from its disk does not let go of its agent', async () => {
  await dpkg('-i /var/tmp/yadokari.deb');
  // The stub as sysfs shows it at another computer.
  const script = `mount -t tmpfs tmpfs /sys && mkdir -p /sys/block/dm-0/dm /sys/block/dm-0/slaves/nbd0 &&
    echo yado-root > /sys/block/dm-0/dm/name && dpkg --remove yadokari 2>&1 || echo "exit $?"`;
  assert.match(await inChroot(root, script), /bring the OS home first[\s\S]*exit 1/);
  assert.match(await inChroot(root, 'dpkg -s yadokari'), /^Status: \w+ ok installed/m);
});
