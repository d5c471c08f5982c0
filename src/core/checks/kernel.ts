// Checks of what the kernels offer and of how they were started. Pure.

import type { SnapshotCause } from '../capabilities.ts';
import { fastestCipher } from '../ciphers.ts';
import type { FacilityName } from '../os-state.ts';
import { type AloneCheck, finding, newMedium, ofOs, type PreflightCheck, type Severity } from './check.ts';

/** What to do about a /dev/snapshot that may not be used, by cause. */
const snapshotHints: Readonly<Record<SnapshotCause, (name: string) => string>> = {
  noHibernation: name => `start ${name} with a kernel that has hibernation, such as Debian's`,
  lockdown: name => `switch Secure Boot off in the setup of ${name}, or start it without lockdown=`,
  parameter: name => `start ${name} without that parameter`,
  secretMemory: name => `end these programs on ${name}`,
  pmTest: name => `on ${name}: echo none > /sys/power/pm_test`,
  unknown: name => `on ${name}: cat /sys/power/disk must not say [disabled]`,
};

interface Facility {
  readonly severity: Severity;
  readonly title: string;
  readonly why: string;
  readonly consequence: (name: string) => string;
  readonly hint: string;
}

/** What each facility is needed for. */
const facilities: Readonly<Record<FacilityName, Facility>> = {
  nbd: {
    severity: 'error',
    title: 'the OS can use disks of other computers (NBD)',
    why: 'Its disk stays behind and is used over the network.',
    consequence: name => `could not use its disk once it has left ${name}`,
    hint: 'modprobe nbd',
  },
  kcore: {
    severity: 'note',
    title: 'memory can be copied ahead',
    why: 'Else all of it is sent while the OS stands still.',
    consequence: () => 'stands still for as long as all its memory takes to be sent',
    hint: 'nothing to do; lockdown "confidentiality" is what forbids it',
  },
  kexec: {
    severity: 'note',
    title: 'the computer becomes a standby by itself once the OS has left',
    why: 'Else a person must restart it before the OS can come back.',
    consequence: name =>
      `cannot come back to ${name} before a person has restarted that with the standby image`,
    hint: 'take kernel.kexec_load_disabled out of /etc/sysctl.d and lockdown= off the kernel parameters, then restart',
  },
  uinput: {
    severity: 'note',
    title: 'the OS can have a keyboard and a mouse that change beneath it',
    why: 'Else it keeps those of the computer it was started on.',
    consequence: () => 'has no keyboard and mouse that go with it',
    hint: 'modprobe uinput, then: systemctl restart yadod',
  },
  cuse: {
    severity: 'note',
    title: 'the OS can have a printer that changes beneath it',
    why: 'Else it has none elsewhere.',
    consequence: () => 'has no printer that goes with it',
    hint: 'modprobe cuse, then: systemctl restart yadod',
  },
};

const facilityChecks = (Object.entries(facilities) as [FacilityName, Facility][]).map(
  ([id, { severity, title, why, consequence, hint }]): AloneCheck => ({
    id,
    severity,
    on: 'source',
    title,
    why,
    inspect: ofOs(({ lacks }, { name }) => {
      const missing = lacks.find(each => each.facility === id);
      return missing ? finding(`The OS ${consequence(name)}: ${missing.reason}.`, hint) : null;
    }),
  }),
);

/** The oldest whose images are of the kind that is sent and taken in: a checksum of the memory map that is a CRC (arch/x86/power/hibernate.c). */
const oldestImage = [5, 14] as const;

/** Version of a kernel by its release, "6.1.0-56-amd64"; none when it is no such text. */
function versionOf(release: string): readonly [major: number, minor: number] | null {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return major === undefined || minor === undefined ? null : [Number(major), Number(minor)];
}

function makesOlderImages(release: string): boolean {
  const version = versionOf(release);
  const [major, minor] = oldestImage;
  return version !== null && (version[0] < major || (version[0] === major && version[1] < minor));
}

export const kernelChecks: readonly PreflightCheck[] = [
  {
    id: 'snapshot',
    severity: 'error',
    on: 'both',
    title: 'the kernel offers /dev/snapshot',
    why: "The kernel's own hibernation makes the image and takes it in. Lockdown (Secure Boot), `nohibernate` and programs with secret memory (memfd_secret) forbid it.",
    inspect: ({ name, snapshotRefusal }) =>
      snapshotRefusal
        ? finding(
            `${name} offers no /dev/snapshot: ${snapshotRefusal.reason}.`,
            snapshotHints[snapshotRefusal.cause](name),
          )
        : null,
  },
  {
    id: 'encryption',
    severity: 'error',
    on: 'both',
    title: 'the kernel encrypts connections',
    why: 'The memory of the OS, and its disk once that is used from elsewhere, go over the network only encrypted, by the kernel (TLS).',
    inspect: ({ name, cipherRates }) =>
      fastestCipher(cipherRates)
        ? null
        : finding(
            `The kernel of ${name} does not encrypt TCP connections.`,
            `start ${name} with a kernel that has TLS, such as Debian's, and load it: modprobe -a tls gcm chacha20poly1305`,
          ),
  },
  {
    id: 'cipher',
    severity: 'error',
    title: 'both kernels have a cipher in common',
    why: 'Each encrypts for the other with AES-128-GCM or ChaCha20-Poly1305, whichever is faster on the slower of the two.',
    compare: (a, b) =>
      fastestCipher(a.cipherRates, b.cipherRates) ||
      !fastestCipher(a.cipherRates) ||
      !fastestCipher(b.cipherRates)
        ? null
        : finding(
            `The kernels of ${a.name} and ${b.name} have no cipher in common.`,
            'on both: modprobe -a tls gcm chacha20poly1305',
          ),
  },
  {
    id: 'kernel-image',
    severity: 'error',
    on: 'both',
    title: 'the kernel makes and reads images of the kind that is sent',
    why: 'Kernels before 5.14 check the memory map in another way.',
    inspect: ({ name, kernelRelease }) =>
      makesOlderImages(kernelRelease)
        ? finding(
            `The kernel of ${name} (${kernelRelease}) makes and reads images of an older kind.`,
            `start ${name} with a kernel 5.14 or newer`,
          )
        : null,
  },
  {
    id: 'kernel-version',
    severity: 'note',
    title: 'both run the same kernel',
    why: "The target's kernel only brings the image in, and need not be the OS's: the same one is what has been tried most.",
    compare: (a, b) =>
      a.kernelRelease === b.kernelRelease || [a, b].some(each => makesOlderImages(each.kernelRelease))
        ? null
        : finding(
            `The kernel of ${b.name} (${b.kernelRelease}) is another one than that of the OS (${a.kernelRelease}): it takes the OS in, which then goes on with its own.`,
            `nothing to do; a medium made anew starts ${b.name} with the kernel of the OS: ${newMedium(b)}`,
          ),
  },
  ...facilityChecks,
  {
    id: 'panic-on-warn',
    severity: 'warning',
    on: 'both',
    title: 'a warning of the kernel does not end it',
    why: 'A driver may warn when its device is brought up again; with panic_on_warn the computer restarts.',
    inspect: ({ name, panicsOnWarning }) =>
      panicsOnWarning
        ? finding(
            `${name} restarts at any warning of its kernel, and a driver may warn when it is brought up again.`,
            `on ${name}: sysctl kernel.panic_on_warn=0`,
          )
        : null,
  },
  {
    id: 'crash-kernel',
    severity: 'note',
    on: 'source',
    title: 'no memory is set aside for a crash kernel',
    why: 'The image would hold it, though nothing is in it.',
    inspect: ofOs(({ crashKernelBytes }, { name }) =>
      crashKernelBytes > 0
        ? finding(
            `${name} has set aside ${Math.ceil(crashKernelBytes / 2 ** 20)} MiB for a crash kernel, which are sent with every move.`,
            'start the OS without crashkernel=',
          )
        : null,
    ),
  },
];
