// Checks of the processors: a kernel that is at work believes in the CPU it was started on. Pure.

import { cpusMissing } from '../cpu-fit.ts';
import { instructionsGained, maskOf } from '../cpu-instructions.ts';
import { finding, listed, newMedium, type PreflightCheck } from './check.ts';

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

/** The kernel reads so much of `clearcpuid=` (cpu_parse_early_param); when the word comes twice, the last one counts. */
const clearedLimit = 127;

/** With which the OS and its programs do without these; undefined when nothing hides them. */
function clearing(features: readonly string[]): string | undefined {
  const masks = features.map(maskOf);
  const cleared = [...new Set([...masks, ...features])].join(',');
  return masks.includes(undefined) || cleared.length > clearedLimit ? undefined : `clearcpuid=${cleared}`;
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
    id: 'cpu-x2apic',
    severity: 'error',
    title: 'the OS can hear the interrupt controllers as the target has them',
    why: 'A kernel does not switch their newer mode (x2APIC) off when it goes on: it would never hear an interrupt again.',
    compare: (a, b) =>
      a.cpu.x2apic === false && b.cpu.x2apic === true
        ? finding(
            `The interrupt controllers of ${b.name} are in the mode x2APIC, and the OS was started on ${a.name} without.`,
            `switch x2APIC off in the setup of ${b.name}, or choose another computer`,
          )
        : null,
  },
  {
    id: 'cpu-flags',
    severity: 'error',
    title: 'the target has every CPU feature of the source',
    why: 'Programs and the kernel use what they found when they started.',
    compare: (a, b) => {
      const isSame = a.cpu.model === b.cpu.model && a.cpu.model !== '';
      const has = new Set([...b.cpu.flags, ...(b.cpu.instructions ?? []), ...(isSame ? unnamedFlags : [])]);
      const missing = a.cpu.flags.filter(flag => !has.has(flag) && !kernelFlags.has(flag));
      if (missing.length === 0) return null;
      const parameter = clearing(missing);
      const hidden = parameter === undefined ? '' : `, or start the OS with ${parameter}`;
      if (isSame)
        return finding(
          `The CPU of ${b.name} is of the same model as that of ${a.name}, and lacks: ${listed(missing)}.`,
          `compare the two setups, and the microcode (on ${a.name}: apt install intel-microcode or amd64-microcode, then restart it; ${newMedium(b)})${hidden}`,
        );
      return finding(
        `The CPU of ${b.name} lacks: ${listed(missing)}.`,
        parameter === undefined
          ? 'choose another computer: programs find some of these by themselves, and nothing hides them'
          : `start the OS with ${parameter}, or choose another computer`,
      );
    },
  },
  {
    id: 'cpu-programs',
    severity: 'warning',
    title: 'the target has every instruction that programs find by themselves',
    why: 'Programs ask the CPU and not the kernel. One that was started where the CPU has an instruction may use it, and ends where there is none: after `clearcpuid=`, and on the way home from a newer CPU.',
    compare: (a, b) => {
      if (!a.cpu.instructions || !b.cpu.instructions) return null;
      const known = new Set([...a.cpu.flags, ...b.cpu.flags, ...b.cpu.instructions]);
      const missing = a.cpu.instructions.filter(each => !known.has(each));
      if (missing.length === 0) return null;
      const parameter = clearing(missing);
      const hidden = parameter === undefined ? '' : `start the OS with ${parameter}, or `;
      return finding(
        `The CPU of ${b.name} lacks what programs of the OS may have found on ${a.name}: ${listed(missing)}; one that uses it ends on ${b.name}.`,
        `${hidden}end the programs that were started on ${a.name} first`,
      );
    },
  },
  {
    id: 'cpu-boot',
    severity: 'error',
    title: 'both kernels were started on the CPU of one number (APIC id)',
    why: 'The OS goes on with its first CPU on the one that the standby runs on, and speaks with it by the number that it knows.',
    compare: (a, b) => {
      const [mine, theirs] = [a.cpu.onlineApicIds[0], b.cpu.onlineApicIds[0]];
      if (mine === undefined || theirs === undefined || mine === theirs) return null;
      return finding(
        `${b.name} starts on the CPU with the number (APIC id) ${theirs}, the OS was started on ${mine}.`,
        'choose another computer',
      );
    },
  },
  {
    id: 'cpu-errors',
    severity: 'error',
    title: 'the target has as many registers for errors of the hardware',
    why: 'The kernel reads all that its first CPU had (machine check banks), and panics where one is missing.',
    compare: (a, b) =>
      a.cpu.machineCheckBanks <= b.cpu.machineCheckBanks
        ? null
        : finding(
            `The CPU of ${b.name} has ${b.cpu.machineCheckBanks} registers for errors of the hardware, and the OS reads ${a.cpu.machineCheckBanks}.`,
            'start the OS with mce=off, or choose another computer',
          ),
  },
  {
    id: 'cpu-guests',
    severity: 'warning',
    title: 'no virtual machine is at work that the target may not go on with',
    why: 'What the CPU keeps of a virtual machine is for CPUs of its own model only.',
    compare: (a, b) => {
      const guests = a.os?.virtualMachines ?? [];
      if (guests.length === 0 || (a.cpu.model === b.cpu.model && a.cpu.model !== '')) return null;
      return finding(
        `Virtual machines run on ${a.name} (${listed(guests)}), and the CPU of ${b.name} is another model: they may end there.`,
        'shut them down first, or put them away and start them again there: virsh managedsave, then virsh start',
      );
    },
  },
  {
    id: 'cpu-home',
    severity: 'note',
    title: 'programs that are started at the target can come back',
    why: 'They may use what only the CPU of the target has.',
    compare: (a, b) => {
      if (!a.cpu.instructions || !b.cpu.instructions) return null;
      const gained = instructionsGained(
        b.cpu.instructions,
        [...a.cpu.instructions, ...a.cpu.flags],
        a.cpu.flags,
      );
      if (gained.length === 0) return null;
      return finding(
        `Programs that are started on ${b.name} may use what the CPU of ${a.name} lacks: ${listed(gained)}; they would end on the way back.`,
        'nothing to do; the move back asks to accept that (--accept-risk cpu-programs)',
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
