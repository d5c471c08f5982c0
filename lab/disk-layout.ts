// The ways a root file system lies on a disk of the lab: over all of it, in a partition, or in a volume of LVM in one.
// Makes image files only; needs no device-mapper on this machine.
import { truncateSync, writeFileSync } from 'node:fs';
import { os } from './os-recipe.ts';
import { run } from './process.ts';

export const diskLayouts = ['disk', 'partition', 'lvm'] as const;
export type DiskLayout = (typeof diskLayouts)[number];

const diskMiB = 3072;
/** Where the second partition of a GPT begins; a small one, as of a boot loader, is before it. */
const partitionMiB = 8;
/** LVM's default: its own data before the first extent. */
const extentsMiB = 1;
/** Left free behind the file system: the copy of the GPT, and the rest of an extent. */
const spareMiB = 8;

/** Where the file system begins. */
export const fileSystemMiB = (layout: DiskLayout): number =>
  ({ disk: 0, partition: partitionMiB, lvm: partitionMiB + extentsMiB })[layout];

const partitions = `label: gpt
start=1MiB, size=${partitionMiB - 1}MiB, type=21686148-6449-6E6F-744E-656564454649
start=${partitionMiB}MiB
`;

/** Fills the image file `disk` with the files below `root`. */
export async function makeDisk(root: string, disk: string, layout: DiskLayout): Promise<void> {
  const startMiB = fileSystemMiB(layout);
  const sizeMiB = startMiB === 0 ? diskMiB : diskMiB - startMiB - spareMiB;
  writeFileSync(disk, '');
  truncateSync(disk, diskMiB * 2 ** 20);
  if (layout !== 'disk') await run(['sfdisk', '--quiet', disk], { input: partitions });
  if (layout === 'lvm') await makeVolume(disk, sizeMiB);
  const options = ['-q', '-F', '-t', 'ext4', '-L', 'crab', '-U', os.fileSystem];
  if (startMiB > 0) options.push('-E', `offset=${startMiB * 2 ** 20}`);
  await run(['mke2fs', ...options, '-d', root, disk, `${sizeMiB}M`]);
}

/** The volume group `crab` with the volume `root`, made without the kernel's help: only what is written on the disk. */
async function makeVolume(disk: string, sizeMiB: number): Promise<void> {
  const script = `
    loop=$(losetup --find --show --offset "$(($2 << 20))" --sizelimit "$(($3 << 20))" "$1")
    trap 'losetup --detach "$loop"' EXIT
    # Without device-mapper there is no one to tell of the new volume.
    alone="--driverloaded n --devices $loop --config devices/use_devicesfile=0"
    pvcreate --quiet $alone --dataalignment "$4m" "$loop"
    vgcreate --quiet $alone crab "$loop"
    lvcreate --quiet $alone --activate n --zero n --wipesignatures n --size "$5m" --name root crab`;
  const partMiB = diskMiB - partitionMiB - 1;
  await run([
    'sh',
    '-ec',
    script,
    'sh',
    disk,
    String(partitionMiB),
    String(partMiB),
    String(extentsMiB),
    String(sizeMiB),
  ]);
}
