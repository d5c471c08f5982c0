// Reading and writing the small text files of /proc and /sys. `root` is '/' on the real computer; tests give
// a directory with the same tree. Nothing here interprets the text.
import {
  closeSync,
  constants as fileConstants,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { basename, join, relative } from 'node:path';
import { SystemError } from '#linux/system-error.ts';

/** Where the tree starts when nothing else is said. */
export const REAL_ROOT = '/';
/** The root of the OS, as an agent in a root of its own sees it: through the OS's first process. */
export const OS_ROOT = '/proc/1/root';

/** The file's text without its last newline; undefined when the file is absent or has no value (EIO, EINVAL, …). */
export function readText(...path: readonly string[]): string | undefined {
  try {
    return readFileSync(join(...path), 'utf8').replace(/\n$/, '');
  } catch {
    return undefined;
  }
}

/** Why a file cannot be opened for reading ("ENOENT", "EPERM"); undefined when it can. It is closed at once. */
export function openError(path: string): string | undefined {
  return errorOfOpening(path, fileConstants.O_RDONLY);
}

/** The same for writing; an existing file only. */
export function openErrorForWriting(path: string): string | undefined {
  return errorOfOpening(path, fileConstants.O_WRONLY);
}

function errorOfOpening(path: string, how: number): string | undefined {
  try {
    closeSync(openSync(path, how | fileConstants.O_NONBLOCK));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO';
  }
}

/** The file's text. @throws SystemError */
export function requireText(...path: readonly string[]): string {
  try {
    return readFileSync(join(...path), 'utf8');
  } catch (error) {
    throw asSystemError('read', join(...path), error);
  }
}

/** The number (decimal, 0x… or 0…) in a file; undefined when there is none. */
export function readNumber(...path: readonly string[]): number | undefined {
  const text = readText(...path)?.trim();
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}

/** Names in a directory, in natural order (vda2 before vda10); none when it is absent. */
export function listNames(...path: readonly string[]): string[] {
  try {
    return readdirSync(join(...path)).sort(naturalOrder);
  } catch {
    return [];
  }
}

export function naturalOrder(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** Where a link points, relative to `root`, e.g. "sys/devices/pci0000:00/…"; undefined when there is none. */
export function resolveLink(root: string, ...path: readonly string[]): string | undefined {
  try {
    return relative(realpathSync(root), realpathSync(join(root, ...path)));
  } catch {
    return undefined;
  }
}

/** The last name of what a link points to (driver, subsystem); undefined when there is none. */
export function linkName(root: string, ...path: readonly string[]): string | undefined {
  const target = resolveLink(root, ...path);
  return target === undefined ? undefined : basename(target);
}

/** Writes a value to an existing file in one write(2). May block as long as the kernel works (rescan, remove). */
export function writeText(value: string, ...path: readonly string[]): void {
  try {
    // Not for reading too: the kernel gives some of these files to writers only, even to root.
    const fd = openSync(join(...path), fileConstants.O_WRONLY | fileConstants.O_TRUNC);
    try {
      writeSync(fd, value);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw asSystemError(`write "${value}" to`, join(...path), error);
  }
}

function asSystemError(call: string, path: string, error: unknown): SystemError {
  const code =
    error instanceof Error && 'errno' in error && typeof error.errno === 'number' ? -error.errno : 0;
  return new SystemError(call, code || constants.errno.EIO, path);
}
