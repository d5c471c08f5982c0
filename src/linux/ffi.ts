// System calls through koffi: the only file that imports koffi, so that another FFI can take its place.
// May assume glibc on x86-64. Every failing call throws SystemError; nothing here knows a policy or retries.
// The kernel keeps none of the buffers passed here after a call returns.
import { constants } from 'node:os';
import koffi from 'koffi';
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import { SystemError } from '#linux/system-error.ts';

const libc = koffi.load('libc.so.6');

type Argument = number | bigint | string | null | Uint8Array;
type Call = (...args: readonly Argument[]) => number;

/** Parsed at the first call: most processes need few of them, and a ghost starts in a hurry. */
function bind(signature: string): Call {
  let native: Call | undefined;
  return (...args) => {
    native ??= libc.func(signature) as Call;
    return Number(native(...args));
  };
}

const libcIoctl = libc.func('int ioctl(int fd, ulong request, void *argument)');

const native = {
  open: bind('int open(const char *path, int flags, uint mode)'),
  close: bind('int close(int fd)'),
  read: bind('long read(int fd, void *buffer, size_t length)'),
  write: bind('long write(int fd, const void *buffer, size_t length)'),
  ioctl: bind('int ioctl(int fd, ulong request, void *argument)'),
  fcntl: bind('int fcntl(int fd, int command, long argument)'),
  poll: bind('int poll(void *fds, ulong count, int timeoutMs)'),
  socket: bind('int socket(int family, int type, int protocol)'),
  socketpair: bind('int socketpair(int family, int type, int protocol, void *fds)'),
  bind: bind('int bind(int fd, const void *address, uint length)'),
  listen: bind('int listen(int fd, int backlog)'),
  accept4: bind('int accept4(int fd, void *address, void *length, int flags)'),
  getsockname: bind('int getsockname(int fd, void *address, void *length)'),
  getpeername: bind('int getpeername(int fd, void *address, void *length)'),
  connect: bind('int connect(int fd, const void *address, uint length)'),
  setsockopt: bind('int setsockopt(int fd, int level, int option, const void *value, uint length)'),
  getsockopt: bind('int getsockopt(int fd, int level, int option, void *value, void *length)'),
  send: bind('long send(int fd, const void *buffer, size_t length, int flags)'),
  sendto: bind(
    'long sendto(int fd, const void *b, size_t length, int flags, const void *addr, uint addrLength)',
  ),
  recv: bind('long recv(int fd, void *buffer, size_t length, int flags)'),
  shutdown: bind('int shutdown(int fd, int how)'),
  mount: bind(
    'int mount(const char *source, const char *target, const char *type, ulong flags, const char *data)',
  ),
  umount2: bind('int umount2(const char *target, int flags)'),
  clock_settime: bind('int clock_settime(int clock, const void *timespec)'),
  clock_gettime: bind('int clock_gettime(int clock, void *timespec)'),
  unshare: bind('int unshare(int flags)'),
  prctl: bind('int prctl(int option, ulong a, ulong b, ulong c, ulong d)'),
  munmap: bind('int munmap(void *address, size_t length)'),
  mknod: bind('int mknod(const char *path, uint mode, ulong device)'),
  ptrace: bind('long ptrace(long request, int thread, long address, long data)'),
  waitpid: bind('int waitpid(int thread, void *status, int options)'),
};
const mmap64: (...args: readonly (number | null)[]) => bigint = libc.func(
  'void *mmap64(void *address, size_t length, int protection, int flags, int fd, int64 offset)',
);
// The same C function with integer instead of pointer arguments needs a prototype of its own.
const ioctlInteger = bind('int ioctl(int fd, ulong request, long argument)');
const syscallReboot = bind(
  'long syscall(long number, ulong magic1, ulong magic2, ulong command, ulong argument)',
);
const syscallKexec = bind(
  'long syscall(long number, int kernel, int initrd, ulong length, const char *line, ulong flags)',
);

function check(result: number, call: string, path?: string): number {
  if (result < 0) throw new SystemError(call, koffi.errno(), path);
  return result;
}

export function open(path: string, flags: number, mode = 0o600): number {
  return check(native.open(path, flags | C.O_CLOEXEC, mode), 'open', path);
}

export function close(fd: number): void {
  check(native.close(fd), 'close');
}

/** Reads at most `buffer.length` bytes; 0 at the end of the file. */
export function read(fd: number, buffer: Uint8Array): number {
  return check(native.read(fd, buffer, buffer.length), 'read');
}

/** Writes at most all of `buffer`; returns the count written. */
export function write(fd: number, buffer: Uint8Array): number {
  return check(native.write(fd, buffer, buffer.length), 'write');
}

/** ioctl with a buffer (read and written by the kernel) or an integer argument; `what` names it in errors. */
export function ioctl(fd: number, request: number, argument: Uint8Array | number, what = 'ioctl'): number {
  const call = typeof argument === 'number' ? ioctlInteger : native.ioctl;
  return check(call(fd, request, argument), what);
}

/** As `ioctl`, in a thread of its own: for devices that let the caller wait. `argument` is the kernel's meanwhile. */
export function ioctlLater(fd: number, request: number, argument: Uint8Array, what = 'ioctl'): Promise<void> {
  return new Promise((resolve, reject) => {
    libcIoctl.async(fd, request, argument, (error: unknown, result: number) => {
      if (error) reject(error);
      else if (result < 0) reject(new SystemError(what, koffi.errno()));
      else resolve();
    });
  });
}

export function fcntl(fd: number, command: number, argument = 0): number {
  return check(native.fcntl(fd, command, argument), 'fcntl');
}

/** poll(2) of one descriptor: the `revents` bits, 0 after `timeoutMs`. Blocks the event loop for that time. */
export function poll(fd: number, events: number, timeoutMs: number): number {
  const pollfd = Buffer.alloc(SIZE['struct pollfd']);
  pollfd.writeInt32LE(fd, 0);
  pollfd.writeInt16LE(events, OFFSET['struct pollfd'].events);
  check(native.poll(pollfd, 1, timeoutMs), 'poll');
  return pollfd.readInt16LE(OFFSET['struct pollfd'].revents);
}

export function socket(family: number, type: number, protocol = 0): number {
  return check(native.socket(family, type | C.SOCK_CLOEXEC, protocol), 'socket');
}

/** A connected pair of Unix sockets. */
export function socketPair(type: number = C.SOCK_STREAM): [number, number] {
  const fds = Buffer.alloc(8);
  check(native.socketpair(C.AF_UNIX, type | C.SOCK_CLOEXEC, 0, fds), 'socketpair');
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

export function bindSocket(fd: number, address: Uint8Array, what?: string): void {
  check(native.bind(fd, address, address.length), 'bind', what);
}

/** listen(2) with a queue of `backlog` connections. */
export function listen(fd: number, backlog: number): void {
  check(native.listen(fd, backlog), 'listen');
}

/** accept4(2), close-on-exec; the peer's address is not asked for. */
export function accept(fd: number, flags = 0): number {
  return check(native.accept4(fd, null, null, flags | C.SOCK_CLOEXEC), 'accept');
}

/** getsockname(2): an address of at most `size` bytes. */
export function getsockname(fd: number, size: number): Buffer {
  const address = Buffer.alloc(size);
  check(native.getsockname(fd, address, int32(size)), 'getsockname');
  return address;
}

/** getpeername(2): as `getsockname`, of the other end. */
export function getpeername(fd: number, size: number): Buffer {
  const address = Buffer.alloc(size);
  check(native.getpeername(fd, address, int32(size)), 'getpeername');
  return address;
}

/** connect(2). A non-blocking socket throws EINPROGRESS; then wait for it to become writable. */
export function connect(fd: number, address: Uint8Array, what?: string): void {
  check(native.connect(fd, address, address.length), 'connect', what);
}

/** setsockopt with raw bytes or an `int`. */
export function setsockopt(fd: number, level: number, option: number, value: Uint8Array | number): void {
  const bytes = typeof value === 'number' ? int32(value) : value;
  check(native.setsockopt(fd, level, option, bytes, bytes.length), 'setsockopt', `${level}/${option}`);
}

/** getsockopt of an `int` option. */
export function getsockoptInt(fd: number, level: number, option: number): number {
  const value = Buffer.alloc(4);
  check(native.getsockopt(fd, level, option, value, int32(4)), 'getsockopt', `${level}/${option}`);
  return value.readInt32LE(0);
}

export function send(fd: number, buffer: Uint8Array, flags = 0): number {
  return check(native.send(fd, buffer, buffer.length, flags | C.MSG_NOSIGNAL), 'send');
}

export function sendTo(fd: number, buffer: Uint8Array, address: Uint8Array, flags = 0): number {
  return check(native.sendto(fd, buffer, buffer.length, flags, address, address.length), 'sendto');
}

/** recv(2). With MSG_TRUNC the result may be larger than the buffer. */
export function recv(fd: number, buffer: Uint8Array, flags = 0): number {
  return check(native.recv(fd, buffer, buffer.length, flags), 'recv');
}

export function shutdown(fd: number, how: number = C.SHUT_RDWR): void {
  check(native.shutdown(fd, how), 'shutdown');
}

export function mount(
  source: string,
  target: string,
  type: string | null,
  flags: number,
  data: string | null = null,
): void {
  check(native.mount(source, target, type, flags, data), 'mount', target);
}

export function umount(target: string, flags = 0): void {
  check(native.umount2(target, flags), 'umount2', target);
}

/** Sets a clock; nanoseconds since its epoch. */
export function clockSettime(clock: number, nanoseconds: bigint): void {
  const timespec = Buffer.alloc(SIZE['struct timespec']);
  timespec.writeBigInt64LE(nanoseconds / 1_000_000_000n, 0);
  timespec.writeBigInt64LE(nanoseconds % 1_000_000_000n, 8);
  check(native.clock_settime(clock, timespec), 'clock_settime');
}

/** Reads a clock; nanoseconds since its epoch. */
export function clockGettime(clock: number): bigint {
  const timespec = Buffer.alloc(SIZE['struct timespec']);
  check(native.clock_gettime(clock, timespec), 'clock_gettime');
  return timespec.readBigInt64LE(0) * 1_000_000_000n + timespec.readBigInt64LE(8);
}

/** reboot(2) with one of LINUX_REBOOT_CMD_*. No sync, no unmount; the call normally does not return. */
export function reboot(command: number): void {
  check(syscallReboot(C.SYS_reboot, C.LINUX_REBOOT_MAGIC1, C.LINUX_REBOOT_MAGIC2, command, 0), 'reboot');
}

/** kexec_file_load(2); pass -1 for descriptors that `flags` makes unused. */
export function kexecFileLoad(kernelFd: number, initrdFd: number, cmdline: string, flags: number): void {
  const length = Buffer.byteLength(cmdline) + 1; // the terminating NUL counts
  check(syscallKexec(C.SYS_kexec_file_load, kernelFd, initrdFd, length, cmdline, flags), 'kexec_file_load');
}

/** unshare(2) for the calling (main) thread only. */
export function unshare(flags: number): void {
  check(native.unshare(flags), 'unshare');
}

/** prctl(2) with a number. */
export function prctl(option: number, value = 0): number {
  return check(native.prctl(option, value, 0, 0, 0), 'prctl');
}

/** Memory shared with a device or the kernel. `memory` must never be read or written once it is unmapped. */
export interface RawMapping {
  readonly address: bigint;
  readonly memory: ArrayBuffer;
}

/** mmap(2), shared, to read and write; without a file for `fd` -1. Offsets up to 2^53. */
export function mmap(fd: number, length: number, offset = 0, what = 'mmap'): RawMapping {
  const flags = fd < 0 ? C.MAP_PRIVATE | C.MAP_ANONYMOUS : C.MAP_SHARED;
  const address = mmap64(null, length, C.PROT_READ | C.PROT_WRITE, flags, fd, offset);
  if (address === MAP_FAILED) throw new SystemError(what, koffi.errno());
  return { address, memory: koffi.view(address, length) };
}
const MAP_FAILED = 2n ** 64n - 1n;

/** munmap(2). */
export function munmap(address: bigint, length: number): void {
  check(native.munmap(address, length), 'munmap');
}

/** Makes a device node. */
export function mknod(path: string, mode: number, major: number, minor: number): void {
  // makedev() of glibc for numbers below 2^12 and 2^20
  const device = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  check(native.mknod(path, mode, device), 'mknod', path);
}

/** ptrace(2) of one thread, by the calling (main) thread. */
export function ptrace(request: number, thread: number, data = 0): void {
  check(native.ptrace(request, thread, 0, data), 'ptrace');
}

/** waitpid(2) of one thread without waiting: its status, undefined when there is no news. */
export function waitThread(thread: number): number | undefined {
  const status = Buffer.alloc(4);
  const result = check(native.waitpid(thread, status, C.WNOHANG | C.__WALL), 'waitpid');
  return result === 0 ? undefined : status.readInt32LE(0);
}

// libuv watches a descriptor for one waiter only.
const waiting = new Set<number>();

/**
 * Waits, without blocking the event loop, until `fd` is readable or writable (or has failed: the next call tells).
 * One wait at a time for each descriptor.
 * @throws SystemError ETIMEDOUT naming `what` after `timeoutMs`; the signal's reason when aborted.
 */
export function waitFd(
  fd: number,
  wanted: 'readable' | 'writable',
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined; readonly what: string },
): Promise<void> {
  const { timeoutMs, signal, what } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    if (waiting.has(fd))
      return reject(new Error(`somebody already waits for file descriptor ${fd} (${what})`));
    waiting.add(fd);
    // koffi calls back without running the promises that become ready: without the immediate they would sleep on until
    // some timer or socket wakes Node.
    const handle = koffi.node.poll(fd, { [wanted]: true }, () => finish(() => setImmediate(resolve)));
    const timer = setTimeout(
      () => finish(() => reject(new SystemError(what, constants.errno.ETIMEDOUT))),
      timeoutMs,
    );
    const onAbort = () => finish(() => reject(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    function finish(settle: () => void): void {
      waiting.delete(fd);
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      handle.stop();
      handle.close();
      settle();
    }
  });
}

function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value, 0);
  return bytes;
}
