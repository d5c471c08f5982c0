// Keys of the lab's computers and its OS, which are paired before they start. Made from their names, so that a cached image
// fits them; worth nothing anywhere else. A scenario's computer may be left unpaired.
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import type { ComputerKeys, Paired } from '#core/pins.ts';
import { pkcs8Of } from '#wire/certificate.ts';
import type { ComputerSpec } from './computer-spec.ts';
import { type OsFile, os } from './os-recipe.ts';

const seedOf = (name: string): Buffer => createHash('sha256').update(`yadokari lab: ${name}`).digest();

const secretOf = (name: string): string => seedOf(name).toString('base64url');

function publicKeyOf(name: string): string {
  const key = createPrivateKey({ key: pkcs8Of(seedOf(name)), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'jwk' }).x ?? '';
}

const osName = `OS ${os.id}`;

/** What a standby of the lab has in its image; undefined for one that is not paired yet. */
export function computerKeys({ name, paired }: ComputerSpec): ComputerKeys | undefined {
  if (paired === false) return undefined;
  return { secret: secretOf(name), owners: [{ name: os.id, key: publicKeyOf(osName) }] };
}

/** What an OS that was started on `home` before, and paired, has on its disk. */
export function osKeyFiles(home: ComputerSpec, others: readonly ComputerSpec[]): OsFile[] {
  const computers = others
    .filter(each => each.paired !== false)
    .map(({ name }) => ({ name, key: publicKeyOf(name) }));
  const paired: Paired = { computers, owners: [] };
  const file = (name: string, text: string): OsFile => ({
    path: `/var/lib/yadokari/${name}`,
    text: `${text}\n`,
    mode: 0o600,
  });
  return [
    file('os.key', secretOf(osName)),
    file('computer.key', secretOf(home.name)),
    file('paired.json', JSON.stringify(paired)),
  ];
}
