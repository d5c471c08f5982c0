// Checks of the processors: a kernel that is at work believes in the CPU it was started on. Pure.

import { cpusMissing } from '../cpu-fit.ts';
import { finding, listed, type PreflightCheck } from './check.ts';

/**
 * Names in /proc/cpuinfo that the kernel makes up (arch/x86 cpufeatures.h, words 3, 7 and 8) or that tell how many CPUs
 * there are: nothing of what an instruction does.
 */
const kernelFlags: ReadonlySet<string> = new Set([
  ...[
    'ht',
    'cmp_legacy',
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
  ...['invpcid_single', 'up', 'ibpb_exit_to_user', 'tdx_host_platform'], // of some kernel versions only
]);

/**
 * Features that a kernel does not name although the CPU has them: it is too old to know them (cpufeatures.h of 6.1, 6.12 and
 * 7.3), or was started without, as every standby is without `ibt`.
 */
const unnamedFlags: readonly string[] = [
  ...['ibt', 'user_shstk', 'lam', 'fred', 'lass'],
  ...['sev_snp', 'svsm', 'debug_swap'],
];

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
      const isSame = a.cpu.model === b.cpu.model && a.cpu.model !== '';
      const has = new Set([...b.cpu.flags, ...(isSame ? unnamedFlags : [])]);
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
    severity: 'note',
    title: 'the target has the CPUs of the source, by their numbers (APIC ids)',
    why: 'Those that it has not are switched off before the move, and on again where the OS finds them.',
    compare: (a, b) => {
      const missing = cpusMissing(a.cpu.onlineApicIds, b.cpu).length;
      if (missing === 0) return null;
      return finding(
        `${b.name} lacks ${missing} of the ${a.cpu.online} CPUs of ${a.name}: the OS goes on with ${a.cpu.online - missing} there, and programs bound to the others run on any.`,
        'nothing to do',
      );
    },
  },
  {
    id: 'cpu-first',
    severity: 'warning',
    title: 'the target has the CPU that the kernel was started on',
    why: 'The first CPU cannot be switched off. The kernel waits 10 s for it while the OS stands still, and goes on without it.',
    compare: (a, b) => {
      const [first] = a.cpu.onlineApicIds;
      if (first === undefined || !cpusMissing(a.cpu.onlineApicIds, b.cpu).includes(first)) return null;
      return finding(
        `${b.name} has no CPU with the number (APIC id) ${first}, that of the first one of ${a.name}.`,
        'choose another computer',
      );
    },
  },
];
