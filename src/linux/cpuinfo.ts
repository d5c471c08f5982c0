// What preflight compares about the processors, from /proc/cpuinfo. Pure parser.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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
  /** Five-level paging is in use: the kernel clears the flag otherwise (early_identify_cpu). */
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

/**
 * APIC ids of the CPUs the hardware has, also those this kernel did not start: enabled local APICs in the MADT (ACPI 6.5,
 * 5.2.12).
 * @throws FormatError
 */
export function madtProcessors(table: Uint8Array): number[] {
  const bytes = Buffer.from(table.buffer, table.byteOffset, table.byteLength);
  if (bytes.toString('latin1', 0, 4) !== 'APIC') throw new FormatError('ACPI MADT', 'wrong signature');
  const ids: number[] = [];
  for (let at = 44; at + 2 <= bytes.length; ) {
    const type = bytes.readUInt8(at);
    const length = bytes.readUInt8(at + 1);
    if (length < 2 || at + length > bytes.length)
      throw new FormatError('ACPI MADT', `entry of ${length} bytes`);
    // Flags bit 0 = enabled: type 0 local APIC (id at 3, flags at 4), type 9 local x2APIC (id at 4, flags at 8)
    if (type === 0 && length >= 8 && (bytes.readUInt32LE(at + 4) & 1) === 1)
      ids.push(bytes.readUInt8(at + 3));
    if (type === 9 && length >= 16 && (bytes.readUInt32LE(at + 8) & 1) === 1)
      ids.push(bytes.readUInt32LE(at + 4));
    at += length;
  }
  return ids;
}

/** madtProcessors of this computer; none where ACPI tables are not readable. */
export function readHardwareApicIds(root = REAL_ROOT): number[] {
  try {
    return madtProcessors(readFileSync(join(root, 'sys/firmware/acpi/tables/APIC')));
  } catch {
    return [];
  }
}
