// `npm run build`: makes the Debian package and the standby image and says where they are and how big.
import { buildStandbyImage } from '../standby/image.ts';
import { buildAgentImage } from './agent-image.ts';
import { buildDeb } from './deb.ts';

const image = buildAgentImage();
const deb = buildDeb(image);
const standby = buildStandbyImage(image);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(`package          ${deb}`);
console.log(`standby kernel   ${standby.kernel}`);
console.log(`standby initrd   ${standby.initrd}`);
for (const [part, bytes] of Object.entries(standby.sizes))
  console.log(`  ${part.padEnd(12)} ${megabytes(bytes)}`);
console.log(`
For a computer that is to stay paired when it was switched off (docs/threat-model.md): npm run standby-keys`);
