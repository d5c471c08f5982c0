// Firmware of network cards. A driver that finds its card while the OS is frozen reads firmware from the OS's file system,
// whose disk does not answer then: whoever looks up a name that is not in memory waits for ever. So all that it may ask for
// is read right before the freeze, and what is not there is looked for too: the kernel remembers both, and both move along.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { log } from './log.ts';

const osRoot = '/proc/1/root';
/** A driver for many cards names the firmware of each. */
const mostFiles = 256;
/** As the kernel tries them: fw_path and the suffixes of drivers/base/firmware_loader/main.c. */
const folders = (kernel: string): string[] => [
  `lib/firmware/updates/${kernel}`,
  'lib/firmware/updates',
  `lib/firmware/${kernel}`,
  'lib/firmware',
];
const suffixes = ['', '.zst', '.xz'];

/** Names of the files that these modules, by name or modalias, may ask for, relative to the folder of firmware. Never throws. */
export async function firmwareOf(modules: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(
    modules.map(async name => {
      const argv = ['chroot', osRoot, '/sbin/modinfo', '--field', 'firmware', '--', name];
      const told = await promisify(execFile)('/bin/busybox', argv).catch((error: Error) => {
        log(`the firmware of ${name} is not known: ${error.message}`);
        return { stdout: '' };
      });
      return told.stdout.split('\n').filter(each => each !== '' && !each.split('/').includes('..'));
    }),
  );
  return lists.flat().slice(0, mostFiles);
}

/** Addresses of those whose driver has a list of firmware that it may ask for. */
export async function thoseWithFirmware(
  functions: readonly {
    readonly address: string;
    readonly modalias: string;
    readonly driver?: string | undefined;
  }[],
): Promise<string[]> {
  const asked = functions.filter(each => each.driver !== undefined);
  const names = await Promise.all(asked.map(each => firmwareOf([each.modalias])));
  return asked.filter((_, index) => (names[index]?.length ?? 0) > 0).map(each => each.address);
}

/** Reads these wherever the kernel would look for them. Gives how many there are. */
export async function readAhead(
  names: readonly string[],
  root = osRoot,
  kernel: string = release(),
): Promise<number> {
  const found = await Promise.all(
    names.map(async name => {
      const paths = folders(kernel).flatMap(folder =>
        suffixes.map(suffix => join(root, folder, `${name}${suffix}`)),
      );
      const read = await Promise.all(
        paths.map(path =>
          readFile(path).then(
            () => true,
            () => false,
          ),
        ),
      );
      return read.includes(true);
    }),
  );
  return found.filter(Boolean).length;
}
