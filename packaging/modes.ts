// Modes of what goes into an image or a package: the same whatever the umask of the builder, and of the checkout, was.
import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** `folder` and all that is below it. */
export const everythingIn = (folder: string): string[] => [
  folder,
  ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)),
];

/** Folders and programs are for everyone to enter and run, files for everyone to read, and only for their owner to write. */
export function plainModes(folder: string): void {
  for (const path of everythingIn(folder)) {
    const status = lstatSync(path);
    if (status.isSymbolicLink()) continue;
    chmodSync(path, status.isDirectory() || status.mode & 0o100 ? 0o755 : 0o644);
  }
}
