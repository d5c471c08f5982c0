// `npm run standby-keys -- <id of the OS> <key of the OS> <file>`: makes keys for one more computer, for its standby medium,
// so that it need not be paired anew whenever it was switched off. `yado pairs` at the OS shows id and key.
import { randomBytes } from 'node:crypto';
import { packKeys } from '../standby/keys.ts';

const [name = '', key = '', out = ''] = process.argv.slice(2);
if (!/^[a-z0-9][a-z0-9-]{0,62}$/i.test(name) || !/^[\w-]{43}$/.test(key) || out === '') {
  console.error(
    'usage: npm run standby-keys -- <id of the OS> <key of the OS> <file>   (at the OS: yado pairs)',
  );
  process.exit(2);
}
packKeys({ secret: randomBytes(32).toString('base64url'), owners: [{ name, key }] }, out);
console.log(`keys             ${out}: for one computer, and secret; the boot loader gives them to the kernel as
                 one more initrd (GRUB: initrd /keys.cpio /standby-initrd.img). Start it, then pair
                 once: there yado accept, at the OS yado pair <computer>`);
