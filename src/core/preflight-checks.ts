// The one table of preflight checks. A check compares the capabilities of source (a) and target (b) and returns null or
// what it found, as a sentence for the user and a hint. Pure.

import { type Capabilities, movingAgentImage } from './capabilities.ts';
import { fastestCipher } from './ciphers.ts';
import type { PreflightRequest } from './preflight.ts';
import { formatBytes } from './quantities.ts';
import { countFrames, subtractRanges } from './ram-ranges.ts';

export type Severity = 'error' | 'warning' | 'note';

export interface Finding {
  readonly text: string;
  readonly hint: string;
}

export interface PreflightCheck {
  /** Stable name: what `--accept-risk` takes. */
  readonly id: string;
  readonly severity: Severity;
  /** What is well when nothing was found. */
  readonly title: string;
  readonly compare: (a: Capabilities, b: Capabilities, request: PreflightRequest) => Finding | null;
}

const pageBytes = 4096;
/** Half of RAM is the kernel's limit (kernel/power/snapshot.c, hibernate_preallocate_memory); the rest is its reserve. */
const imageShare = 0.48;
/** Bitmaps and page lists of the target's kernel, per page of image, and some room to breathe. */
const imageOverhead = 1 + 1 / 128;
const roomBytes = 32 * 1024 * 1024;
/** ACPI tables of other cards move the edge of RAM by a few pages; more than this is another memory map. */
const edgePages = 256;

/**
 * Names in /proc/cpuinfo that the kernel makes up (arch/x86 cpufeatures.h, words 3, 7 and 8) or that depend on how many
 * CPUs it started: they say nothing about the hardware.
 */
const kernelFlags: ReadonlySet<string> = new Set([
  ...[
    'ht',
    'pti',
    'ibrs',
    'ibpb',
    'stibp',
    'ssbd',
    'ibrs_enhanced',
    'cpuid',
    'rep_good',
    'nopl',
    'xtopology',
  ],
  ...['tsc_known_freq', 'tsc_reliable', 'extd_apicid', 'cpuid_fault'],
  ...['tpr_shadow', 'flexpriority', 'vnmi', 'ept', 'ept_ad', 'vpid'],
]);

const finding = (text: string, hint: string): Finding => ({ text, hint });

function framesOutside(a: Capabilities, b: Capabilities): number {
  return countFrames(subtractRanges(a.memory.ramRanges, b.memory.ramRanges));
}

/** True for kernels that mark all-zero pages in the page list (6.6 and newer, kernel/power/snapshot.c). */
function marksZeroPages(release: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(major) > 6 || (Number(major) === 6 && Number(minor) >= 6);
}

export const preflightChecks: readonly PreflightCheck[] = [
  {
    id: 'protocol',
    severity: 'error',
    title: 'both speak the same protocol',
    compare: (a, b) =>
      a.protocol === b.protocol
        ? null
        : finding(
            `${b.name} speaks protocol ${b.protocol}, ${a.name} speaks ${a.protocol}.`,
            'install the same version of Yadokari on both computers',
          ),
  },
  {
    id: 'agent-image',
    severity: 'error',
    title: 'both hold the same agent image',
    compare: (a, b) =>
      a.agentImageHash === b.agentImageHash || a.agentImageHash === movingAgentImage
        ? null
        : finding(
            `${b.name} holds another agent image than ${a.name}.`,
            `start ${b.name} with the standby image made from this version`,
          ),
  },
  {
    id: 'role',
    severity: 'error',
    title: 'the OS is here and the target stands by',
    compare: (a, b) => {
      if (a.role !== 'active') return finding(`${a.name} runs no OS: it is ${a.role}.`, 'yado status');
      if (b.role === 'standby') return null;
      if (b.role === 'ghost')
        return finding(`${b.name} is a ghost, not a standby.`, `yado standby ${b.name}`);
      return finding(`${b.name} runs an OS of its own.`, 'yado computers');
    },
  },
  {
    id: 'snapshot',
    severity: 'error',
    title: 'both offer /dev/snapshot',
    compare: (a, b) => {
      const without = [a, b].find(each => !each.snapshot.available);
      if (!without) return null;
      return finding(
        `${without.name} offers no /dev/snapshot: ${without.snapshot.reason ?? 'reason unknown'}.`,
        `start ${without.name} without Secure Boot lockdown and without "nohibernate"`,
      );
    },
  },
  {
    id: 'encryption',
    severity: 'error',
    title: 'both kernels encrypt connections',
    compare: (a, b) => {
      if (fastestCipher(a.cipherRates, b.cipherRates)) return null;
      const without = [a, b].find(each => !fastestCipher(each.cipherRates));
      return without
        ? finding(
            `The kernel of ${without.name} does not encrypt TCP connections.`,
            `start ${without.name} with a kernel that has TLS (CONFIG_TLS) and load it: modprobe tls`,
          )
        : finding(
            `The kernels of ${a.name} and ${b.name} have no cipher in common.`,
            'on both computers: modprobe -a tls gcm chacha20poly1305',
          );
    },
  },
  {
    id: 'ram-map',
    severity: 'error',
    title: 'the memory of the OS fits into that of the target',
    compare: (a, b) => {
      const outside = framesOutside(a, b);
      if (outside <= edgePages) return null;
      return finding(
        `${formatBytes(outside * pageBytes)} of the memory of ${a.name} lie where ${b.name} has none.`,
        `start the OS with mem= set to the memory of ${b.name}`,
      );
    },
  },
  {
    id: 'ram-edge',
    severity: 'note',
    title: 'no page frame of the source is missing on the target',
    compare: (a, b) => {
      const outside = framesOutside(a, b);
      if (outside === 0 || outside > edgePages) return null;
      return finding(
        `${outside} page frames of ${a.name} are missing on ${b.name}; if the OS uses one, ${b.name} will refuse and the OS goes on at ${a.name}.`,
        'nothing to do',
      );
    },
  },
  {
    id: 'memory-source',
    severity: 'error',
    title: 'the source has room to make the image',
    compare: a => {
      const limit = a.memory.totalBytes * imageShare;
      if (a.memory.usedBytes <= limit) return null;
      return finding(
        `${a.name} uses ${formatBytes(a.memory.usedBytes)} of ${formatBytes(a.memory.totalBytes)}; an image can hold at most ${formatBytes(limit)}.`,
        `end programs on ${a.name}, or give it swap`,
      );
    },
  },
  {
    id: 'memory-target',
    severity: 'error',
    title: 'the target has room for the image',
    compare: (a, b) => {
      const needed = a.memory.usedBytes * imageOverhead + roomBytes;
      if (b.memory.freeBytes >= needed) return null;
      return finding(
        `${b.name} has ${formatBytes(b.memory.freeBytes)} free, but the image needs ${formatBytes(needed)}.`,
        `give ${b.name} more memory, or end programs on ${a.name}`,
      );
    },
  },
  {
    id: 'cpu-vendor',
    severity: 'error',
    title: 'both CPUs are of one vendor',
    compare: (a, b) =>
      a.cpu.vendor === b.cpu.vendor
        ? null
        : finding(
            `${b.name} has a CPU of ${b.cpu.vendor}, ${a.name} one of ${a.cpu.vendor}.`,
            'choose a computer with a CPU of the same vendor',
          ),
  },
  {
    id: 'cpu-paging',
    severity: 'error',
    title: 'both use the same depth of page tables',
    compare: (a, b) =>
      a.cpu.la57 === b.cpu.la57
        ? null
        : finding(
            `${a.name} and ${b.name} differ in five-level paging.`,
            'start both computers with "no5lvl"',
          ),
  },
  {
    id: 'cpu-flags',
    severity: 'error',
    title: 'the target has every CPU feature of the source',
    compare: (a, b) => {
      const has = new Set(b.cpu.flags);
      const missing = a.cpu.flags.filter(flag => !has.has(flag) && !kernelFlags.has(flag));
      if (missing.length === 0) return null;
      const names = `${missing.slice(0, 8).join(', ')}${missing.length > 8 ? `, and ${missing.length - 8} more` : ''}`;
      return finding(
        `The CPU of ${b.name} lacks: ${names}.`,
        `start the OS with clearcpuid=${missing.slice(0, 8).join(',')}, or choose another computer`,
      );
    },
  },
  {
    id: 'cpu-count',
    severity: 'warning',
    title: 'the target has as many CPUs',
    compare: (a, b) => {
      const missing = a.cpu.count - b.cpu.count;
      if (missing <= 0) return null;
      return finding(
        `${b.name} has ${b.cpu.count} CPUs, ${a.name} has ${a.cpu.count}; each missing one makes the move about 10 s longer.`,
        `switch off ${missing} CPUs on ${a.name}, or: yado migrate ${b.name} --accept-risk cpu-count`,
      );
    },
  },
  {
    id: 'kernel-image',
    severity: 'error',
    title: "the target's kernel reads the image of the source's",
    compare: (a, b) => {
      if (!marksZeroPages(a.kernelRelease) || marksZeroPages(b.kernelRelease)) return null;
      return finding(
        `The kernel of ${b.name} (${b.kernelRelease}) cannot read an image of ${a.kernelRelease}.`,
        `start ${b.name} with a standby image that has a kernel 6.6 or newer`,
      );
    },
  },
  {
    id: 'nic',
    severity: 'error',
    title: 'both have a network card for the move',
    compare: (a, b) => {
      const without = [a, b].find(each => each.nic === null);
      return without
        ? finding(
            `${without.name} has no network card that works.`,
            `check the network card of ${without.name}`,
          )
        : null;
    },
  },
  {
    id: 'nic-driver',
    severity: 'error',
    title: "the OS has a driver for the target's network card",
    compare: (_a, b, { missingDrivers }) => {
      const missing = missingDrivers.find(each => each.address === b.nic?.pciAddress);
      return missing
        ? finding(
            `The OS has no driver for the network card of ${b.name} (${missing.modalias}).`,
            'install the kernel module package for it',
          )
        : null;
    },
  },
  {
    id: 'device-drivers',
    severity: 'note',
    title: 'the OS has drivers for all devices of the target',
    compare: (_a, b, { missingDrivers }) => {
      const others = missingDrivers.filter(each => each.address !== b.nic?.pciAddress);
      return others.length > 0
        ? finding(
            `The OS has no driver for ${others.length} devices of ${b.name}: ${others.map(each => each.address).join(', ')}.`,
            'nothing to do, unless you need them',
          )
        : null;
    },
  },
];
