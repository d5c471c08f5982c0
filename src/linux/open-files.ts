// What programs have open, as the kernel names it: one look through all of them for whoever asks. Reads links of /proc only.
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { listNames, REAL_ROOT, readText } from '#linux/sysfs.ts';

/** By process: where the links of its open files point to, each once ("/dev/snd/controlC0", "anon_inode:kvm-vm"). */
export type OpenFiles = ReadonlyMap<string, ReadonlySet<string>>;

export function readOpenFiles(root = REAL_ROOT): OpenFiles {
  const processes = listNames(root, 'proc').filter(name => /^\d+$/.test(name));
  return new Map(processes.map(pid => [pid, new Set(linksOf(join(root, 'proc', pid, 'fd')))]));
}

function linksOf(folder: string): string[] {
  return listNames(folder).flatMap(fd => {
    try {
      return readlinkSync(join(folder, fd));
    } catch {
      return []; // closed in the meantime
    }
  });
}

/** From another root a path may begin at the file system of devices, and in a container anywhere before. */
const belowDev = /^(?:.*\/dev)?\/(.+)$/;

/** Of an open file its path below /dev; of other files some may look like that. */
export const deviceFile = (target: string): string | undefined => belowDev.exec(target)?.[1];

/** "pipewire (pid 812)" */
export const programOf = (pid: string, root = REAL_ROOT): string =>
  `${readText(root, 'proc', pid, 'comm') ?? '?'} (pid ${pid})`;

/** Programs that run a virtual machine of KVM. */
export const virtualMachinesAmong = (open: OpenFiles, root = REAL_ROOT): string[] =>
  [...open]
    .filter(([, targets]) => [...targets].some(each => each.endsWith('anon_inode:kvm-vm')))
    .map(([pid]) => programOf(pid, root));
