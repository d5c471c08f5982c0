// A system that does one thing: with a computer's own kernel and nothing of its disks it sends a disk over the network, or
// takes one, and switches the computer off. For what a person with a rescue stick would do.
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { debianKernel } from '../packaging/kernel.ts';
import { moduleFiles, packCpio } from '../standby/initrd.ts';
import { cachedDir, contentKey } from './cache.ts';
import type { StandbyImage } from './computer.ts';
import { cacheDir, repositoryDir } from './paths.ts';
import { run } from './process.ts';
import { buildWorkload } from './workload-build.ts';

const modules = ['virtio_pci', 'virtio_net', 'virtio_blk'];

/** What it says on the kernel console when all is carried. */
export const carried = /carrier: carried/;

/** Kernel command line: the computer's address, and the words of `carry` (lab/workload/carry.c). */
export function carrierCommandLine(address: string, words: readonly string[]): string {
  return `console=ttyS0 ignore_loglevel panic=10 nr_cpus=1 carrier.address=${address} carrier.do=${words.join(',')}`;
}

/** Makes it once; its place among a computer's images is that of the standby image. */
export async function carrierImage(): Promise<StandbyImage> {
  const kernel = debianKernel();
  const workload = await buildWorkload();
  const init = readFileSync(join(repositoryDir, 'lab', 'workload', 'carrier-init.sh'));
  const key = contentKey(init, readFileSync(join(workload, 'carry')), kernel.release, modules.join());
  const dir = await cachedDir(cacheDir(), `carrier-${key}`, async into => {
    const folder = join(into, 'root');
    for (const name of ['bin', 'dev', 'proc', 'sys']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'init'), init);
    cpSync('/bin/busybox', join(folder, 'bin/busybox'));
    cpSync(join(workload, 'carry'), join(folder, 'bin/carry'));
    for (const file of ['init', 'bin/carry']) chmodSync(join(folder, file), 0o755);
    const from = join(kernel.root, 'lib/modules', kernel.release);
    const to = join(folder, 'lib/modules', kernel.release);
    for (const file of moduleFiles(readFileSync(join(from, 'modules.dep'), 'utf8'), modules)) {
      mkdirSync(dirname(join(to, file)), { recursive: true });
      cpSync(join(from, file), join(to, file));
    }
    for (const name of ['modules.order', 'modules.builtin']) cpSync(join(from, name), join(to, name));
    await run(['/sbin/depmod', '-b', folder, kernel.release]);
    packCpio(folder, join(into, 'initrd.img'));
    await run(['rm', '-r', folder]);
  });
  return { kernel: kernel.vmlinuz, initrd: join(dir, 'initrd.img') };
}
