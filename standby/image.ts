// The standby image: a kernel and an initramfs with the agent image behind it, for a cold boot (disk, USB, PXE).
import { cpSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cachePath, once } from '../packaging/cache.ts';
import { run } from '../packaging/command.ts';
import { debianKernel, type Kernel } from '../packaging/kernel.ts';
import { plainModes } from '../packaging/modes.ts';
import { buildStandbyInitrd, packCpio } from './initrd.ts';

export interface StandbyImage {
  readonly kernel: string;
  readonly initrd: string;
  /** Bytes of each part, for the size report. */
  readonly sizes: Readonly<Record<'kernel' | 'initramfs' | 'agent image', number>>;
}

/**
 * Builds the standby image around an agent image, once. Both must hold the same one: preflight compares them.
 * `kernel`: another one than that of the package.
 */
export function buildStandbyImage(agent: string, kernel: Kernel = debianKernel()): StandbyImage {
  const small = buildStandbyInitrd(kernel);
  const key = agent.split('/').at(-2) ?? '';
  const name =
    kernel.release === debianKernel().release ? 'standby-initrd' : `standby-initrd-${kernel.release}`;
  const initrd = once(cachePath('agent', key, `${name}.img`), temporary => {
    const folder = `${temporary}.stage`;
    try {
      mkdirSync(folder, { recursive: true });
      cpSync(agent, join(folder, 'agent.erofs'));
      plainModes(folder);
      packCpio(folder, `${temporary}.cpio`);
      // Uncompressed first: the kernel unpacks archives one behind the other, each starting at a multiple of four.
      run(['sh', '-c', `cat "$1" "$2" > "$3" && rm "$1"`, 'sh', `${temporary}.cpio`, small, temporary]);
    } finally {
      run(['rm', '-rf', folder]);
    }
  });
  const size = (path: string): number => statSync(path).size;
  return {
    kernel: kernel.vmlinuz,
    initrd,
    sizes: { kernel: size(kernel.vmlinuz), initramfs: size(small), 'agent image': size(agent) },
  };
}
