// `npm run build`: makes the Debian package and the standby image and says where they are and how big; `npm run deb`: the
// package alone. The package lies in build/, under its own name.
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildStandbyImage } from '../standby/image.ts';
import { buildAgentImage } from './agent-image.ts';
import { projectRoot } from './cache.ts';
import { buildDeb } from './deb.ts';

const image = buildAgentImage();
const deb = buildDeb(image);
const build = join(projectRoot, 'build');
mkdirSync(build, { recursive: true });
const here = join(build, basename(deb));
copyFileSync(deb, here);
console.log(`package          ${here}`);
if (!process.argv.includes('--deb')) {
  const standby = buildStandbyImage(image);
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`standby kernel   ${standby.kernel}`);
  console.log(`standby initrd   ${standby.initrd}`);
  for (const [part, bytes] of Object.entries(standby.sizes))
    console.log(`  ${part.padEnd(12)} ${megabytes(bytes)}`);
}
