// Checks of the disk of the OS, of what is on the way to it, and of disks and swap that stay behind. Pure.

import { isForBooting, mountsThatStay, swapsThatStay } from '../os-state.ts';
import { describeRootTrouble } from '../root-trouble.ts';
import { finding, listed, ofOs, type PreflightCheck } from './check.ts';

const mountList = (mounts: readonly { device: string; path: string }[]): string =>
  listed(mounts.map(({ device, path }) => `${path} on ${device}`));

const wayTo = { network: 'over which the OS comes home', disk: 'on which its disk is' } as const;

export const storageChecks: readonly PreflightCheck[] = [
  {
    id: 'disk-mark',
    severity: 'error',
    on: 'source',
    title: 'the disk can bear the mark of an OS that has left',
    why: 'A power cut during the move could start the OS twice.',
    inspect: ofOs(({ unmarkable }, { name }) =>
      unmarkable === null
        ? null
        : finding(
            `The disk of ${name} cannot be marked as left: ${unmarkable}.`,
            'put the root on ext4, in a partition without a boot loader, on a disk with sectors of 512 bytes: /usr/share/doc/yadokari/install.md',
          ),
    ),
  },
  {
    id: 'disk-stub',
    severity: 'error',
    on: 'source',
    title: 'the root file system lies on the stub',
    why: 'Only what lies on /dev/mapper/yado-root is served everywhere.',
    inspect: ofOs(({ classes, rootTrouble }, { name }) =>
      classes.includes('disk') || rootTrouble
        ? null
        : finding(
            `The root file system of the OS on ${name} does not lie on the stub /dev/mapper/yado-root.`,
            'restart this computer once, without yado.root=off; a disk that hangs at no PCI device (iSCSI, some eMMC) cannot be served',
          ),
    ),
  },
  {
    id: 'disk-volume',
    severity: 'error',
    on: 'source',
    title: 'beneath the stub is a disk, a partition, or a linear volume of LVM on one of them',
    why: 'Whoever serves the disk has to find it again without the tools that made it.',
    inspect: ofOs(({ rootTrouble }, { name }) => {
      if (!rootTrouble) return null;
      const { what, hint } = describeRootTrouble(rootTrouble);
      return finding(`The root file system of the OS on ${name} cannot move: ${what}.`, hint);
    }),
  },
  {
    id: 'standby-drivers',
    severity: 'error',
    title: 'the standby that the source becomes has drivers for its network card and for the disk of the OS',
    why: 'The OS would lose its disk when it comes home: that computer would be out of reach, or without the disk.',
    compare: (a, _b, { disk }) => {
      // A disk that both reach is used from the target by itself.
      const lacks = (a.os?.undriven ?? []).filter(
        each => each.class === 'network' || disk?.mode !== 'shared',
      );
      if (lacks.length === 0) return null;
      const what = lacks.map(each => `${each.at} (${each.driver || 'no driver'}), ${wayTo[each.class]}`);
      return finding(
        `The standby that ${a.name} becomes behind the OS has no driver for ${listed(what)}.`,
        `use hardware of ${a.name} that a standby has drivers for: /usr/share/doc/yadokari/install.md`,
      );
    },
  },
  {
    id: 'standby-again',
    severity: 'note',
    title: 'the target is a standby again once the OS has left it',
    why: 'It then runs the standby of the package, which may lack a driver that the kernel on its medium has.',
    compare: (_a, b) =>
      b.nic?.standbyDrives === false
        ? finding(
            `The standby of the package has no driver for the network card of ${b.name}: once the OS has left it again, ${b.name} is out of reach.`,
            `nothing to do; then start ${b.name} from its medium again`,
          )
        : null,
  },
  {
    id: 'other-disks',
    severity: 'warning',
    on: 'source',
    title: 'no other disk is in use',
    why: 'Only the disk of the root file system is served over the network: programs get errors from any other.',
    inspect: ofOs(({ mounts }, { name }) => {
      const left = mounts.filter(each => !isForBooting(each));
      if (left.length === 0) return null;
      const lost = left.filter(each => each.place === undefined);
      const back =
        lost.length === 0 ? 'They are mounted anew' : `By hand must be mounted anew ${mountList(lost)},`;
      return finding(
        `Disks in use stay at ${name} and cannot be read elsewhere: ${mountList(left)}. ${back} when the OS is back.`,
        // What is mounted on top of another goes first.
        `umount ${left
          .map(each => each.path)
          .toReversed()
          .slice(0, 8)
          .join(' ')}`,
      );
    }),
  },
  {
    id: 'disks-held',
    severity: 'warning',
    on: 'source',
    title: 'no program has another disk open by itself',
    why: 'Volumes of virtual machines and bare partitions stay with their disk: whoever uses one gets errors from it.',
    inspect: ofOs(({ heldDisks }, { name }) => {
      if (heldDisks.length === 0) return null;
      const what = heldDisks.map(each => `${each.device} (${listed(each.programs, 2)})`);
      return finding(
        `Programs on ${name} have disks open that stay there: ${listed(what)}.`,
        'end these programs first: what they write would be lost',
      );
    }),
  },
  {
    id: 'zfs',
    severity: 'warning',
    on: 'source',
    title: 'no file system of ZFS is in use',
    why: 'Its disks stay. A pool that loses them waits for ever, and every program that uses it.',
    inspect: ofOs(({ zfs }, { name }) =>
      zfs.length === 0
        ? null
        : finding(
            `File systems of ZFS are mounted on ${name} (${listed(zfs)}), whose disks stay there.`,
            'zpool export, for each pool that zpool list names',
          ),
    ),
  },
  {
    id: 'boot-disks',
    severity: 'note',
    on: 'source',
    title: 'the files for starting the computer lie on no disk that stays',
    why: 'They are unmounted meanwhile; kernels and GRUB can be updated only at home.',
    inspect: ofOs(({ mounts }, { name }) => {
      const left = mounts.filter(isForBooting);
      if (left.length === 0) return null;
      const found = mountsThatStay(left);
      const lost = left.filter(each => each.place === undefined);
      const texts = [
        ...(found.length === 0
          ? []
          : [
              `${mountList(found)}: this stays at ${name}, is unmounted before the move and mounted again when the OS is back.`,
            ]),
        ...(lost.length === 0
          ? []
          : [`${mountList(lost)}: this stays at ${name}, and nothing would find it again there.`]),
      ];
      const paths = lost.map(each => each.path).toReversed();
      return finding(
        `${texts.join(' ')} Kernels and GRUB can be updated only at home.`,
        paths.length === 0
          ? 'nothing to do'
          : `umount ${paths.join(' ')}; at home again: mount ${paths.toReversed().join(' ')}`,
      );
    }),
  },
  {
    id: 'swap',
    severity: 'error',
    on: 'source',
    title: 'no swap lies on a disk that stays and would not be found again',
    why: 'What is swapped out there would be lost.',
    inspect: ofOs(({ swaps }, { name }) => {
      const left = swaps.filter(each => each.kind === 'disk' && each.place === undefined);
      if (left.length === 0) return null;
      const paths = left.map(each => each.path);
      return finding(
        `The OS swaps to ${listed(paths)}, which stays at ${name}: what is there would be lost.`,
        `swapoff ${paths.slice(0, 8).join(' ')}; a swap file on the root file system may stay`,
      );
    }),
  },
  {
    id: 'swap-off',
    severity: 'note',
    on: 'source',
    title: 'no swap is switched off for the move',
    why: 'What is swapped out on a disk that stays would be lost: it comes back into memory first, or goes to a swap file that moves with the OS.',
    inspect: ofOs(({ swaps }, { name }) => {
      const left = swapsThatStay(swaps);
      if (left.length === 0) return null;
      return finding(
        `Swap that stays at ${name} is switched off before the move: ${listed(left.map(each => each.path))}; it is on again when the OS is back.`,
        'nothing to do',
      );
    }),
  },
];
