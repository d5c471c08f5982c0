// Checks of a move after which the disk is not used where it was (`yado migrate --disk=follow`, `--disk=shared`). Pure.

import { diskUnitBytes, mostSectorBytes } from '../disk-follow.ts';
import { type DiskPlan, isOwnOf, sameness } from '../disk-wish.ts';
import { formatBytes } from '../quantities.ts';
import { finding, listed, type PreflightCheck } from './check.ts';

const namesOf = ({ look }: DiskPlan, computer: string): string =>
  look.names.length > 0
    ? `${computer} has: ${listed(look.names)}`
    : `${computer} has no disk that it has a driver for`;

export const diskChecks: readonly PreflightCheck[] = [
  {
    id: 'disk-named',
    severity: 'error',
    title: 'the disk for the OS is known at the target',
    why: 'No disk is chosen for you: what is on it would be lost.',
    compare: (_a, b, { disk }) => {
      if (!disk || disk.look.found) return null;
      const { asked, look } = disk;
      if (disk.mode === 'shared')
        return finding(
          look.matches > 1
            ? `${look.matches} disks of ${b.name} answer to ${asked}.`
            : `${b.name} does not reach the disk of the OS${asked === undefined ? '' : ` (${asked})`}.`,
          `${namesOf(disk, b.name)}; yado migrate ${b.name} --disk=shared --to-disk=<one of these>, or let it stay: yado migrate ${b.name} --disk=remote`,
        );
      const hint = `${namesOf(disk, b.name)}; yado migrate ${b.name} --disk=follow --to-disk=<one of these>`;
      if (asked === undefined)
        return finding(`No disk of ${b.name} was named for the OS, and none there is its own.`, hint);
      return look.matches > 1
        ? finding(`${look.matches} disks of ${b.name} answer to ${asked}.`, hint)
        : finding(`${b.name} has no disk ${asked}.`, hint);
    },
  },
  {
    id: 'disk-fits',
    severity: 'error',
    title: 'the disk at the target is large enough and free',
    why: 'The whole disk of the OS goes there.',
    compare: (_a, b, { disk }) => {
      const found = disk?.look.found;
      if (!disk || !found) return null;
      const other = `choose another disk: ${namesOf(disk, b.name)}`;
      if (disk.mode === 'follow' && disk.identity !== undefined && sameness(found.place) === disk.identity)
        return finding(
          `The disk ${found.name} of ${b.name} is the one of the OS itself, which both computers reach.`,
          `yado migrate ${b.name} --disk=shared`,
        );
      if (found.use !== null)
        return finding(`The disk ${found.name} of ${b.name} is in use: ${found.use}.`, other);
      if (found.isReadOnly)
        return finding(`The disk ${found.name} of ${b.name} cannot be written to.`, other);
      if (disk.mode === 'follow' && disk.sizeBytes % diskUnitBytes !== 0)
        return finding(
          `The disk of the OS has ${disk.sizeBytes} bytes, which is no multiple of ${diskUnitBytes}: the kernel cannot mirror it.`,
          'let it stay: --disk=remote',
        );
      if (found.sectorBytes > mostSectorBytes)
        return finding(
          `The disk ${found.name} of ${b.name} has sectors of ${found.sectorBytes} bytes: it cannot be marked.`,
          other,
        );
      if (found.sizeBytes >= disk.sizeBytes) return null;
      return finding(
        `The disk ${found.name} of ${b.name} has ${formatBytes(found.sizeBytes)}, the disk of the OS ${formatBytes(disk.sizeBytes)}.`,
        other,
      );
    },
  },
  {
    id: 'disk-same',
    severity: 'error',
    title: 'the disk that both computers reach is the same one',
    why: 'On another one there is another state of the OS, or something else.',
    compare: (_a, b, { disk }) => {
      const found = disk?.look.found;
      if (disk?.mode !== 'shared' || !found) return null;
      if (disk.identity === undefined)
        return finding(
          'The disk of the OS says nothing of itself by which it could be known elsewhere.',
          `let it stay: yado migrate ${b.name} --disk=remote`,
        );
      if (sameness(found.place) === disk.identity) return null;
      return finding(
        `The disk ${found.name} of ${b.name} is not the one of the OS.`,
        `${namesOf(disk, b.name)}; or let it stay: yado migrate ${b.name} --disk=remote`,
      );
    },
  },
  {
    id: 'disk-unfenced',
    severity: 'warning',
    title: 'only one computer can write to the disk',
    why: 'A computer that reaches the disk by itself is kept from it by nothing but the mark on it.',
    compare: (a, b, { disk }) =>
      disk?.mode === 'shared' && !disk.isShared && disk.look.found
        ? finding(
            `${a.name} goes on reaching the disk once ${b.name} uses it: whoever starts the OS at ${a.name} all the same (yado resume) while it runs at ${b.name} destroys what is on it.`,
            `keep to that, or let the disk stay: yado migrate ${b.name} --disk=remote`,
          )
        : null,
  },
  {
    id: 'disk-mirror',
    severity: 'error',
    title: 'the kernel of the OS can mirror disks',
    why: 'The disk follows by a mirror of both.',
    compare: (a, _b, { disk }) =>
      disk?.lacks !== undefined
        ? finding(
            `The kernel of the OS on ${a.name} cannot mirror disks: ${disk.lacks}.`,
            'modprobe dm-mirror; or let the disk stay: --disk=remote',
          )
        : null,
  },
  {
    id: 'disk-not-empty',
    severity: 'warning',
    title: 'nothing is on the disk for the OS, or only what the OS left there',
    why: 'All that is on it is overwritten.',
    compare: (_a, b, { disk }) => {
      const found = disk?.look.found;
      if (disk?.mode !== 'follow' || !found || found.holds === null) return null;
      if (isOwnOf(found, disk.os, disk.fileSystem)) return null;
      return finding(
        `The disk ${found.name} of ${b.name} is not empty: ${found.holds}. It would be overwritten.`,
        `look at it there; if nobody needs it: yado migrate ${b.name} --disk=follow --to-disk=${found.name} --accept-risk=disk-not-empty`,
      );
    },
  },
];
