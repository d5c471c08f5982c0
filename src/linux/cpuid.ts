// What the first CPU answers to CPUID, by the kernel's module "cpuid": 16 bytes (eax, ebx, ecx, edx) at the offset that is the
// leaf, with the subleaf in its upper half (arch/x86/kernel/cpuid.c).
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Cpuid, CpuidAnswer } from '#core/cpu-instructions.ts';
import { REAL_ROOT } from '#linux/sysfs.ts';

const answerBytes = 16;
const firstExtended = 0x8000_0000;

/** Only what the CPU says that it has: asked for a leaf beyond the last one some answer with another. */
export const onlyWhatThereIs =
  (ask: (leaf: number, subleaf: number) => CpuidAnswer): Cpuid =>
  (leaf, subleaf) => {
    const last = ask(leaf >= firstExtended ? firstExtended : 0, 0).eax;
    if (leaf > last || (leaf === 7 && subleaf > ask(leaf, 0).eax)) return undefined;
    return ask(leaf, subleaf);
  };

/** Undefined where the module is not loaded. */
export function withCpuid<T>(use: (cpuid: Cpuid) => T, root = REAL_ROOT): T | undefined {
  let fd: number;
  try {
    fd = openSync(join(root, 'dev/cpu/0/cpuid'), 'r');
  } catch {
    return undefined;
  }
  try {
    return use(
      onlyWhatThereIs((leaf, subleaf) => {
        const answer = Buffer.alloc(answerBytes);
        readSync(fd, answer, 0, answerBytes, (BigInt(subleaf) << 32n) | BigInt(leaf));
        const at = (offset: number): number => answer.readUInt32LE(offset);
        return { eax: at(0), ebx: at(4), ecx: at(8), edx: at(12) };
      }),
    );
  } finally {
    closeSync(fd);
  }
}
