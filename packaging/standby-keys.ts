// `npm run standby-keys -- <id of the OS> <key of the OS> <file> [<computer.key>]`: makes the archive with the keys of one
// computer for its standby medium, so that it need not be paired anew whenever it was switched off: with new keys, or, for
// the computer the OS was installed on, with those of /var/lib/yadokari/computer.key. `yado pairs` shows id and key.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { packKeys } from '../standby/keys.ts';

const [name = '', key = '', out = '', keyFile] = process.argv.slice(2);
if (!/^[a-z0-9][a-z0-9-]{0,62}$/i.test(name) || !/^[\w-]{43}$/.test(key) || out === '') {
  console.error(
    'usage: npm run standby-keys -- <id of the OS> <key of the OS> <file> [<computer.key>]   (at the OS: yado pairs)',
  );
  process.exit(2);
}
const secret = keyFile ? Buffer.from(readFileSync(keyFile, 'utf8'), 'base64') : randomBytes(32);
if (secret.length !== 32) {
  console.error(`${keyFile} holds no key: 32 bytes in base64 are wanted`);
  process.exit(2);
}
packKeys({ secret: secret.toString('base64url'), owners: [{ name, key }] }, out);
console.log(`keys             ${out}: for one computer, and secret; the boot loader gives them to the kernel before
                 the standby initrd (GRUB: initrd /keys.cpio /standby-initrd.img)`);
if (!keyFile)
  console.log('                 start it, then pair once: there yado accept, at the OS yado pair <computer>');
