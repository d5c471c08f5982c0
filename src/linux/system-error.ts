// The two errors src/linux throws: a system call failed, or bytes/text from the kernel or a peer are not
// what their format promises. Callers wrap them (as `cause`) into the product's own error with a hint.
import { constants } from 'node:os';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';

const NAMES = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]));

// libuv names only those it meets itself: neither EINPROGRESS nor ENODATA, for example.
function describeErrno(errno: number): { readonly code: string; readonly text: string } {
  const known = getSystemErrorName(-errno);
  if (/^E[0-9A-Z]+$/.test(known)) return { code: known, text: getSystemErrorMessage(-errno) };
  const code = NAMES.get(errno) ?? `errno ${errno}`;
  return { code, text: code };
}

/** A system call failed. `code` is the errno name ('EBUSY'), `call` the call, `path` what it was about. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  readonly call: string;
  readonly errno: number;
  readonly code: string;
  readonly path: string | undefined;

  constructor(call: string, errno: number, path?: string, detail?: string) {
    const where = path === undefined ? '' : ` ${path}`;
    const more = detail === undefined ? '' : ` (${detail})`;
    const { code, text } = describeErrno(errno);
    super(`${call}${where}: ${text}${more}`);
    this.call = call;
    this.errno = errno;
    this.code = code;
    this.path = path;
  }
}

/** Bytes or text that do not follow their format. `format` names it ('netlink', 'NBD handshake', …). */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly format: string;

  constructor(format: string, problem: string) {
    super(`${format}: ${problem}`);
    this.format = format;
  }
}
