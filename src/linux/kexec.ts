// Starting another kernel without firmware (kexec). Loading is early and harmless; the jump does not come back:
// it syncs nothing and unmounts nothing.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { C } from '#linux/abi.ts';
import { kexecFileLoad, open, reboot } from '#linux/ffi.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { REAL_ROOT, readNumber, readText } from '#linux/sysfs.ts';

/** Paths of kernel and initramfs (must lie in memory when user space is frozen), and the command line. */
export interface KexecImage {
  readonly kernelPath: string;
  readonly initrdPath?: string;
  /** An archive that the kernel unpacks before that one. */
  readonly initrdHead?: Uint8Array;
  readonly cmdline: string;
}

/** @throws SystemError EPERM when lockdown or kexec_load_disabled forbid it, ENOEXEC when it is no kernel */
export function kexecLoad(image: KexecImage): void {
  using kernel = new OwnedFd(open(image.kernelPath, C.O_RDONLY));
  if (image.initrdPath === undefined) {
    kexecFileLoad(kernel.fd, -1, image.cmdline, C.KEXEC_FILE_NO_INITRAMFS);
    return;
  }
  using initrd = openInitrd(image.initrdPath, image.initrdHead);
  kexecFileLoad(kernel.fd, initrd.fd, image.cmdline, 0);
}

/** With a head it is put together in memory, in a file that has lost its name. */
function openInitrd(path: string, head?: Uint8Array): OwnedFd {
  if (!head) return new OwnedFd(open(path, C.O_RDONLY));
  const whole = '/run/yado/kexec-initrd';
  rmSync(whole, { force: true });
  writeFileSync(whole, Buffer.concat([head, readFileSync(path)]), { mode: 0o600, flag: 'wx' });
  try {
    return new OwnedFd(open(whole, C.O_RDONLY));
  } finally {
    rmSync(whole);
  }
}

export function kexecUnload(): void {
  kexecFileLoad(-1, -1, '', C.KEXEC_FILE_UNLOAD);
}

export function isKexecLoaded(root = REAL_ROOT): boolean {
  return readNumber(root, 'sys/kernel/kexec_loaded') === 1;
}

/** False when the kernel has no kexec or an administrator turned it off until reboot. */
export function isKexecAllowed(root = REAL_ROOT): boolean {
  return (
    readText(root, 'sys/kernel/kexec_loaded') !== undefined &&
    readNumber(root, 'proc/sys/kernel/kexec_load_disabled') !== 1
  );
}

/** Jumps into the loaded kernel at once. Returns only by throwing SystemError (EINVAL: none is loaded). */
export function kexecJump(): void {
  reboot(C.LINUX_REBOOT_CMD_KEXEC);
}

/** Restarts the computer or switches it off, at once, without sync. */
export function endComputer(how: 'restart' | 'off'): void {
  reboot(how === 'restart' ? C.LINUX_REBOOT_CMD_RESTART : C.LINUX_REBOOT_CMD_POWER_OFF);
}
