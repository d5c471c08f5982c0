// The standby image with the kernel of a Debian of the lab, as `yado standby build` makes it there: the package's own script
// takes kernel and modules out of that Debian's root file system.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { moduleNames } from '../standby/modules.ts';
import { cachedDir, contentKey } from './cache.ts';
import type { StandbyImage } from './computer.ts';
import { osPackages, packageLayer } from './os-image.ts';
import type { DebianVersion } from './os-recipe.ts';
import { cacheDir, repositoryDir } from './paths.ts';
import { run } from './process.ts';
import type { Product } from './product.ts';

/** Makes it once. @throws LabError with the script's words when that kernel cannot be a standby's */
export async function standbyOf(
  debian: DebianVersion,
  { deb, standby }: Product,
  say: (text: string) => void = () => {},
): Promise<StandbyImage> {
  const root = await packageLayer(await osPackages(deb, { debian }), say, debian);
  const script = join(repositoryDir, 'packaging/files/own-kernel');
  const names = `${moduleNames.join('\n')}\n`;
  const key = contentKey(root, readFileSync(script), names, standby.initrd);
  const dir = await cachedDir(cacheDir(), `standby-${key}`, async into => {
    say(`making the standby image with the kernel of Debian ${debian.release}`);
    writeFileSync(join(into, 'names'), names);
    const release = (await run(['ls', join(root, 'lib/modules')])).trim();
    await run(['sh', script, release, join(into, 'names'), into, '/bin/busybox'], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', YADO_ROOT: root },
    });
    await run([
      'sh',
      '-c',
      'cat "$1/modules.img" "$2" > "$1/initrd.img" && rm "$1/modules.img"',
      'sh',
      into,
      standby.initrd,
    ]);
  });
  return { kernel: join(dir, 'vmlinuz'), initrd: join(dir, 'initrd.img') };
}
