// Checks of the kernels: what each finds, on which computer, and that it says so in a sentence with something to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beta, MiB } from '../fixture-computers.ts';
import { type Case, found, tryGroup } from './fixture-cases.ts';
import { kernelChecks } from './kernel.ts';

const cases: readonly Case[] = [
  {
    id: 'encryption',
    b: { cipherRates: {} },
    says: /^The kernel of beta does not encrypt TCP connections\.$/,
  },
  {
    id: 'cipher',
    a: { cipherRates: { aes128gcm: 1 } },
    b: { cipherRates: { chacha20poly1305: 1 } },
    says: /^The kernels of alpha and beta have no cipher in common/,
  },
  {
    id: 'snapshot',
    b: { snapshotRefusal: { cause: 'lockdown', reason: 'the kernel is locked down (integrity)' } },
    says: /^beta offers no \/dev\/snapshot: the kernel is locked down \(integrity\)\.$/,
    hint: /Secure Boot/,
  },
  {
    id: 'snapshot',
    a: { snapshotRefusal: { cause: 'secretMemory', reason: 'programs have secret memory: x (pid 7)' } },
    says: /^alpha offers no .* x \(pid 7\)/,
    hint: /end these programs on alpha/,
  },
  {
    id: 'kernel-image',
    a: { kernelRelease: '5.10.0-30-amd64' },
    says: /^The kernel of alpha \(5\.10\.0-30-amd64\) makes and reads images of an older kind/,
    hint: /start alpha with a kernel 5\.14/,
  },
  {
    id: 'kernel-version',
    a: { kernelRelease: '6.12.95+deb12-amd64' },
    says: /^The kernel of beta \(6\.1\.0-56-amd64\) is another one than that of the OS \(6\.12\.95\+deb12-amd64\)/,
    hint: /: yado unpair beta, then yado standby build beta --usb \/dev\/sdX --address 192\.0\.2\.1\/24$/,
  },
  {
    id: 'nbd',
    os: { lacks: [{ facility: 'nbd', reason: 'no NBD' }] },
    says: /once it has left alpha: no NBD\.$/,
  },
  { id: 'kcore', os: { lacks: [{ facility: 'kcore', reason: 'EPERM' }] }, says: /stands still .*EPERM/ },
  { id: 'kexec', os: { lacks: [{ facility: 'kexec', reason: 'off' }] }, says: /cannot come back to alpha/ },
  {
    id: 'uinput',
    os: { lacks: [{ facility: 'uinput', reason: 'x' }] },
    says: /no keyboard/,
    hint: /modprobe uinput/,
  },
  {
    id: 'cuse',
    os: { lacks: [{ facility: 'cuse', reason: 'x' }] },
    says: /no printer/,
    hint: /modprobe cuse/,
  },
  {
    id: 'panic-on-warn',
    b: { panicsOnWarning: true },
    says: /^beta restarts at any warning/,
    hint: /sysctl/,
  },
  { id: 'crash-kernel', os: { crashKernelBytes: 256 * MiB }, says: /256 MiB for a crash kernel/ },
];

tryGroup(kernelChecks, cases);

test('an address that is none gets into no command', () => {
  const nicThere = { ...beta.nic!, address: '$(reboot)' };
  const [result] = found({ b: { protocol: 9, nic: nicThere } });
  assert.match(result?.hint ?? '', /--usb \/dev\/sdX\),/);
});
