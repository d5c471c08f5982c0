// Instructions that programs find by themselves (CPUID), whatever the kernel believes of the CPU. A kernel that is started with
// `clearcpuid=` uses a feature no more and names it no more; programs still see it, unless it needs registers that the kernel
// then does not switch on. Numbers: Intel SDM volume 2A and AMD APM volume 3, CPUID. Pure.

/** What the kernel switches on (CR4, XCR0); without it the CPU refuses the instructions that need it. */
const switches = ['avx', 'avx512f', 'amx_tile'] as const;
type Switch = (typeof switches)[number];

type Register = 'eax' | 'ebx' | 'ecx' | 'edx';

/** Names are those of /proc/cpuinfo, by bit. */
interface Features {
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: Register;
  readonly bits: Readonly<Record<number, string>>;
  readonly needs?: Switch;
}

/**
 * All but those that every x86-64 has and those that only make something faster. A bit may stand here that no CPU has yet; one
 * that is missing here is not looked at.
 */
export const cpuidFeatures: readonly Features[] = [
  {
    ...{ leaf: 1, subleaf: 0, register: 'ecx' },
    bits: {
      ...{ 0: 'pni', 1: 'pclmulqdq', 9: 'ssse3', 13: 'cx16', 19: 'sse4_1', 20: 'sse4_2' },
      ...{ 22: 'movbe', 23: 'popcnt', 25: 'aes', 30: 'rdrand' },
    },
  },
  { leaf: 1, subleaf: 0, register: 'ecx', bits: { 12: 'fma', 29: 'f16c' }, needs: 'avx' },
  {
    ...{ leaf: 7, subleaf: 0, register: 'ebx' },
    bits: {
      ...{ 3: 'bmi1', 4: 'hle', 8: 'bmi2', 11: 'rtm', 18: 'rdseed', 19: 'adx' },
      ...{ 23: 'clflushopt', 24: 'clwb', 29: 'sha_ni' },
    },
  },
  { leaf: 7, subleaf: 0, register: 'ebx', bits: { 5: 'avx2' }, needs: 'avx' },
  {
    ...{ leaf: 7, subleaf: 0, register: 'ebx' },
    bits: {
      ...{ 17: 'avx512dq', 21: 'avx512ifma', 26: 'avx512pf', 27: 'avx512er' },
      ...{ 28: 'avx512cd', 30: 'avx512bw', 31: 'avx512vl' },
    },
    needs: 'avx512f',
  },
  {
    ...{ leaf: 7, subleaf: 0, register: 'ecx' },
    bits: { 5: 'waitpkg', 8: 'gfni', 22: 'rdpid', 27: 'movdiri', 28: 'movdir64b' },
  },
  { leaf: 7, subleaf: 0, register: 'ecx', bits: { 9: 'vaes', 10: 'vpclmulqdq' }, needs: 'avx' },
  {
    ...{ leaf: 7, subleaf: 0, register: 'ecx' },
    bits: {
      ...{ 1: 'avx512vbmi', 6: 'avx512_vbmi2', 11: 'avx512_vnni' },
      ...{ 12: 'avx512_bitalg', 14: 'avx512_vpopcntdq' },
    },
    needs: 'avx512f',
  },
  { leaf: 7, subleaf: 0, register: 'edx', bits: { 14: 'serialize', 16: 'tsxldtrk' } },
  {
    ...{ leaf: 7, subleaf: 0, register: 'edx' },
    bits: { 2: 'avx512_4vnniw', 3: 'avx512_4fmaps', 8: 'avx512_vp2intersect', 23: 'avx512_fp16' },
    needs: 'avx512f',
  },
  { leaf: 7, subleaf: 0, register: 'edx', bits: { 22: 'amx_bf16', 25: 'amx_int8' }, needs: 'amx_tile' },
  { leaf: 7, subleaf: 1, register: 'eax', bits: { 7: 'cmpccxadd' } },
  {
    ...{ leaf: 7, subleaf: 1, register: 'eax' },
    bits: { 0: 'sha512', 1: 'sm3', 2: 'sm4', 4: 'avx_vnni', 23: 'avx_ifma' },
    needs: 'avx',
  },
  { leaf: 7, subleaf: 1, register: 'eax', bits: { 5: 'avx512_bf16' }, needs: 'avx512f' },
  { leaf: 7, subleaf: 1, register: 'eax', bits: { 21: 'amx_fp16' }, needs: 'amx_tile' },
  {
    ...{ leaf: 7, subleaf: 1, register: 'edx' },
    bits: { 4: 'avx_vnni_int8', 5: 'avx_ne_convert', 10: 'avx_vnni_int16' },
    needs: 'avx',
  },
  { leaf: 0xd, subleaf: 1, register: 'eax', bits: { 0: 'xsaveopt', 1: 'xsavec', 2: 'xgetbv1' } },
  {
    ...{ leaf: 0x8000_0001, subleaf: 0, register: 'ecx' },
    bits: { 0: 'lahf_lm', 5: 'abm', 6: 'sse4a', 21: 'tbm', 29: 'mwaitx' },
  },
  { leaf: 0x8000_0001, subleaf: 0, register: 'ecx', bits: { 11: 'xop', 16: 'fma4' }, needs: 'avx' },
  {
    leaf: 0x8000_0001,
    subleaf: 0,
    register: 'edx',
    bits: { 22: 'mmxext', 27: 'rdtscp', 30: '3dnowext', 31: '3dnow' },
  },
  { leaf: 0x8000_0008, subleaf: 0, register: 'ebx', bits: { 0: 'clzero', 4: 'rdpru' } },
];

export type CpuidAnswer = Readonly<Record<Register, number>>;
/** Undefined for a leaf that the CPU has not. */
export type Cpuid = (leaf: number, subleaf: number) => CpuidAnswer | undefined;

/** What programs find on this CPU, sorted. `flags`: what the kernel names, by which it is known what it has switched on. */
export function instructionsOf(cpuid: Cpuid, flags: readonly string[]): string[] {
  const found = cpuidFeatures
    .filter(({ needs }) => needs === undefined || flags.includes(needs))
    .flatMap(({ leaf, subleaf, register, bits }) => {
      const value = cpuid(leaf, subleaf)?.[register] ?? 0;
      return Object.entries(bits).flatMap(([bit, name]) =>
        ((value >>> Number(bit)) & 1) === 1 ? [name] : [],
      );
    });
  return found.sort();
}

const names = new Map(
  cpuidFeatures.flatMap(({ bits, needs }) => Object.values(bits).map(name => [name, needs] as const)),
);

/**
 * The parameter that keeps this feature from the kernel and from programs, as a name for `clearcpuid=`; undefined when there is
 * none. What is in no table is the kernel's alone.
 */
export function maskOf(flag: string): string | undefined {
  if (!names.has(flag)) return flag;
  return names.get(flag);
}

/** Of what B has, that programs started there may use and that A has not. `flags` are those of the kernel that would move there. */
export function instructionsGained(
  there: readonly string[],
  here: readonly string[],
  flags: readonly string[],
): string[] {
  return there.filter(name => {
    const needs = names.get(name);
    return !here.includes(name) && (needs === undefined || flags.includes(needs));
  });
}
