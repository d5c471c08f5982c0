// The role `marked`: in the initramfs of a computer that was switched on with a mark on its disk. The OS on it may run
// elsewhere: instead of it the standby image is started, with what it needs to find that out. Nothing is written here.
import { existsSync, readFileSync } from 'node:fs';
import { yadoError } from '#core/errors.ts';
import { PairedSchema } from '#core/pins.ts';
import { readRsdp } from '#linux/acpi.ts';
import { keysArchive } from '#linux/cpio.ts';
import { kexecJump, kexecLoad } from '#linux/kexec.ts';
import { identityOf } from '#managers/identity.ts';
import { loadServices } from '#managers/service-list.ts';
import { keysFolder, parseKeys } from './computer-keys.ts';
import { findMarkedDisk } from './left-behind.ts';
import { log } from './log.ts';
import { kexecWords, standbyWords } from './standby-words.ts';

/** Does not come back. @throws YadoError `kexecFailed`, `badConfig`; SystemError */
export async function runMarked(): Promise<void> {
  const found = findMarkedDisk(await loadServices());
  if (!found) throw yadoError('nothingToResume', { computer: 'this computer' });
  const { osId, starts } = found.mark;
  // A disk that several reach was left at another one, perhaps: this one starts from it.
  const { computer, nic } = starts ? { computer: starts, nic: starts.nic } : found.mark;
  const secretIn = (name: string): string =>
    Buffer.from(readFileSync(`${keysFolder}/${name}`, 'utf8').trim(), 'base64').toString('base64url');
  const pairedFile = `${keysFolder}/paired.json`;
  const text = existsSync(pairedFile) ? readFileSync(pairedFile, 'utf8') : '{}';
  const paired = parseKeys(PairedSchema, text, pairedFile);
  const os = secretIn('os.key');
  const owners = [...paired.owners, { name: osId, key: identityOf(os).publicKey }];
  kexecLoad({
    kernelPath: '/standby/vmlinuz',
    initrdPath: '/standby/initrd.img',
    initrdHead: keysArchive(
      { secret: secretIn('computer.key'), owners },
      { secret: os, computers: paired.computers.map(({ name, key }) => ({ name, key })) },
    ),
    cmdline: standbyWords(computer, nic, kexecWords(readRsdp() ?? null, true)),
  });
  log(`${osId} has left, or was about to: ${computer.name} starts its standby image`);
  kexecJump();
}
