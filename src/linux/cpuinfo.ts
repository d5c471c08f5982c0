// What preflight compares about the processors, from /proc/cpuinfo. Pure parser.
import { REAL_ROOT, requireText } from '#linux/sysfs.ts';
import { FormatError } from '#linux/system-error.ts';

/** `flags` are those of all CPUs in common, sorted. `megahertz` is the momentary clock, no TSC rate. */
export interface CpuInfo {
  readonly vendor: string;
  readonly modelName: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** Online CPUs. */
  readonly count: number;
  readonly apicIds: readonly number[];
  readonly flags: readonly string[];
  /** The processor can do five-level paging; readPagingLevels tells whether it is in use. */
  readonly la57: boolean;
}

/** @throws FormatError when no x86 processor is described */
export function parseCpuinfo(text: string): CpuInfo {
  const processors = text
    .split(/\n\s*\n/)
    .map(
      block =>
        new Map(
          [...block.matchAll(/^([^\t:]+?)\s*:[ \t]*(.*)$/gm)].map(
            match => [match[1] ?? '', match[2] ?? ''] as const,
          ),
        ),
    )
    .filter(fields => fields.has('processor'));
  const first = processors[0];
  const vendor = first?.get('vendor_id');
  if (first === undefined || vendor === undefined) throw new FormatError('/proc/cpuinfo', 'no x86 processor');
  const number = (name: string) => Number(first.get(name) ?? 0);
  const [common = new Set<string>(), ...others] = processors.map(
    cpu => new Set((cpu.get('flags') ?? '').split(' ')),
  );
  const flags = [...common].filter(flag => flag !== '' && others.every(set => set.has(flag))).sort();
  return {
    vendor,
    modelName: first.get('model name') ?? '',
    family: number('cpu family'),
    model: number('model'),
    stepping: number('stepping'),
    count: processors.length,
    apicIds: processors.map(cpu => Number(cpu.get('apicid') ?? 0)),
    flags,
    la57: flags.includes('la57'),
  };
}

export function readCpuinfo(root = REAL_ROOT): CpuInfo {
  return parseCpuinfo(requireText(root, 'proc/cpuinfo'));
}
