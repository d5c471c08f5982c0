// The ways a root file system lies on a disk of the lab: over all of it, in a partition, in a volume of LVM in one, and either of
// these in a LUKS container. Makes image files only; needs no device-mapper on this machine.
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { decryptFrom, encryptInto } from './luks-disk.ts';
import { os } from './os-recipe.ts';
import { run } from './process.ts';

export const diskLayouts = ['disk', 'partition', 'lvm', 'luks', 'luks-lvm'] as const;
export type DiskLayout = (typeof diskLayouts)[number];

const diskMiB = 3072;
/** Where the second partition of a GPT begins; a small one, as of a boot loader, is before it. */
const partitionMiB = 8;
/** LVM's default: its own data before the first extent. */
const extentsMiB = 1;
/** Left free behind the file system: the copy of the GPT, and the rest of an extent. */
const spareMiB = 8;
/** Every sector of a container is encrypted here, one by one. */
const containerMiB = 2048;

interface Lies {
  /** Where the file system begins: on the disk, or in the container. */
  readonly startMiB: number;
  readonly isVolume: boolean;
  readonly isEncrypted: boolean;
}

const layouts: Readonly<Record<DiskLayout, Lies>> = {
  disk: { startMiB: 0, isVolume: false, isEncrypted: false },
  partition: { startMiB: partitionMiB, isVolume: false, isEncrypted: false },
  lvm: { startMiB: partitionMiB + extentsMiB, isVolume: true, isEncrypted: false },
  luks: { startMiB: 0, isVolume: false, isEncrypted: true },
  'luks-lvm': { startMiB: extentsMiB, isVolume: true, isEncrypted: true },
};

/** Debian's packages that the OS needs for it. */
export function packagesFor(layout: DiskLayout): string[] {
  const { isVolume, isEncrypted } = layouts[layout];
  return [...(isVolume ? ['lvm2'] : []), ...(isEncrypted ? ['cryptsetup-initramfs'] : [])];
}

export const isEncrypted = (layout: DiskLayout): boolean => layouts[layout].isEncrypted;

const partitions = `label: gpt
start=1MiB, size=${partitionMiB - 1}MiB, type=21686148-6449-6E6F-744E-656564454649
start=${partitionMiB}MiB
`;

/** Fills the image file `disk` with the files below `root`. */
export async function makeDisk(root: string, disk: string, layout: DiskLayout): Promise<void> {
  empty(disk, diskMiB);
  if (layout !== 'disk') await run(['sfdisk', '--quiet', disk], { input: partitions });
  if (!layouts[layout].isEncrypted) return makeFileSystem(root, disk, diskMiB, layout);
  const plain = `${disk}.plain`;
  try {
    empty(plain, containerMiB);
    await makeFileSystem(root, plain, containerMiB, layout);
    await encryptInto(disk, partitionMiB, plain, containerMiB);
  } finally {
    rmSync(plain, { force: true });
  }
}

/**
 * The file that has the file system of a disk in it, and at which byte; `copy` is of the disk and may be changed, `spare` a file to
 * make.
 */
export function fileSystemIn(
  copy: string,
  layout: DiskLayout,
  spare: string,
): { path: string; start: number } {
  const { startMiB, isEncrypted } = layouts[layout];
  if (isEncrypted) decryptFrom(copy, partitionMiB, spare, containerMiB);
  return { path: isEncrypted ? spare : copy, start: startMiB * 2 ** 20 };
}

function empty(file: string, sizeMiB: number): void {
  writeFileSync(file, '');
  truncateSync(file, sizeMiB * 2 ** 20);
}

async function makeFileSystem(
  root: string,
  file: string,
  fileMiB: number,
  layout: DiskLayout,
): Promise<void> {
  const { startMiB, isVolume } = layouts[layout];
  const isWhole = startMiB === 0;
  const sizeMiB = isWhole ? fileMiB : fileMiB - startMiB - spareMiB;
  if (isVolume) await makeVolume(file, startMiB - extentsMiB, fileMiB, sizeMiB);
  const options = ['-q', '-F', '-t', 'ext4', '-L', 'crab', '-U', os.fileSystem];
  if (!isWhole) options.push('-E', `offset=${startMiB * 2 ** 20}`);
  await run(['mke2fs', ...options, '-d', root, file, `${sizeMiB}M`]);
}

/** The volume group `crab` with the volume `root`, made without the kernel's help: only what is written on the disk. */
async function makeVolume(file: string, startMiB: number, fileMiB: number, sizeMiB: number): Promise<void> {
  const script = `
    loop=$(losetup --find --show --offset "$(($2 << 20))" --sizelimit "$(($3 << 20))" "$1")
    trap 'losetup --detach "$loop"' EXIT
    # Without device-mapper there is no one to tell of the new volume.
    alone="--driverloaded n --devices $loop --config devices/use_devicesfile=0"
    pvcreate --quiet $alone --dataalignment "$4m" "$loop"
    vgcreate --quiet $alone crab "$loop"
    lvcreate --quiet $alone --activate n --zero n --wipesignatures n --size "$5m" --name root crab`;
  const partMiB = startMiB === 0 ? fileMiB : fileMiB - startMiB - 1;
  await run([
    'sh',
    '-ec',
    script,
    'sh',
    file,
    String(startMiB),
    String(partMiB),
    String(extentsMiB),
    String(sizeMiB),
  ]);
}
