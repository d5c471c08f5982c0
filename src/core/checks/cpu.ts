// Checks of the processors: a kernel that is at work believes in the CPU it was started on. Pure.

import type { Capabilities } from '../capabilities.ts';
import { finding, listed, type PreflightCheck } from './check.ts';

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

/** CPUs at work at A for which B has none of the same number. */
function strangers(a: Capabilities, b: Capabilities): number[] {
  return b.cpu.apicIds.length === 0 ? [] : a.cpu.onlineApicIds.filter(id => !b.cpu.apicIds.includes(id));
}

export const cpuChecks: readonly PreflightCheck[] = [
  {
    id: 'cpu-vendor',
    severity: 'error',
    title: 'both CPUs are of one vendor',
    why: 'The kernel has fitted itself to the vendor.',
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
    why: 'The depth cannot change while a kernel runs.',
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
    why: 'Programs and the kernel use what they found when they started.',
    compare: (a, b) => {
      const has = new Set(b.cpu.flags);
      const missing = a.cpu.flags.filter(flag => !has.has(flag) && !kernelFlags.has(flag));
      if (missing.length === 0) return null;
      return finding(
        `The CPU of ${b.name} lacks: ${listed(missing)}.`,
        `start the OS with clearcpuid=${missing.slice(0, 8).join(',')}, or choose another computer`,
      );
    },
  },
  {
    id: 'cpu-count',
    severity: 'warning',
    title: 'the target has as many CPUs',
    why: 'The kernel waits 10 s for each that is missing, while the OS stands still.',
    compare: (a, b) => {
      const missing = a.cpu.online - b.cpu.count;
      if (missing <= 0) return null;
      return finding(
        `${b.name} has ${b.cpu.count} CPUs, ${a.name} has ${a.cpu.online}; each missing one makes the move about 10 s longer.`,
        `switch off ${missing} CPUs on ${a.name}: echo 0 > /sys/devices/system/cpu/cpu${a.cpu.online - 1}/online`,
      );
    },
  },
  {
    id: 'cpu-ids',
    severity: 'note',
    title: 'the CPUs of the target have the same numbers (APIC ids)',
    why: 'The kernel waits 10 s for each that it cannot find by its number.',
    compare: (a, b) => {
      const strange = strangers(a, b);
      if (strange.length === 0 || a.cpu.online > b.cpu.count) return null;
      return finding(
        `${b.name} has no CPU with number ${listed(strange.map(String))}; each may make the move about 10 s longer.`,
        `nothing to do, or switch these CPUs off on ${a.name}`,
      );
    },
  },
];
