import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cpuid, cpuidFeatures, instructionsGained, instructionsOf, maskOf } from './cpu-instructions.ts';

const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
/** Leaves 1 and 7 of a Haswell: AVX2, FMA, BMI2, MOVBE. */
const haswell: Cpuid = (leaf, subleaf) => {
  if (leaf === 1) return { ...none, ecx: (1 << 12) | (1 << 22) };
  return leaf === 7 && subleaf === 0 ? { ...none, ebx: (1 << 5) | (1 << 8) } : undefined;
};

test('what needs registers counts only where the kernel has switched them on', () => {
  assert.deepEqual(instructionsOf(haswell, ['avx', 'avx2']), ['avx2', 'bmi2', 'fma', 'movbe']);
  // clearcpuid=avx2: programs find it all the same
  assert.deepEqual(instructionsOf(haswell, ['avx']), ['avx2', 'bmi2', 'fma', 'movbe']);
  // clearcpuid=avx
  assert.deepEqual(instructionsOf(haswell, []), ['bmi2', 'movbe']);
});

test('the last bit of a register is found', () => {
  const cpuid: Cpuid = leaf => (leaf === 7 ? { ...none, ebx: 0x8000_0000 } : none);
  assert.deepEqual(instructionsOf(cpuid, ['avx512f']), ['avx512vl']);
});

test('the mask of a feature is what switches its registers on, its own name when only the kernel uses it, or nothing', () => {
  assert.deepEqual(['avx2', 'avx512bw', 'amx_int8', 'smap', 'bmi2', 'aes'].map(maskOf), [
    'avx',
    'avx512f',
    'amx_tile',
    'smap',
    undefined,
    undefined,
  ]);
});

test('what is gained elsewhere is what the kernel that moves lets programs use', () => {
  assert.deepEqual(instructionsGained(['avx2', 'bmi2', 'movbe'], ['movbe'], []), ['bmi2']);
  assert.deepEqual(instructionsGained(['avx2', 'bmi2', 'movbe'], ['movbe'], ['avx']), ['avx2', 'bmi2']);
});

test('no feature stands in the table twice', () => {
  const places = cpuidFeatures.flatMap(({ leaf, subleaf, register, bits }) =>
    Object.keys(bits).map(bit => `${leaf} ${subleaf} ${register} ${bit}`),
  );
  const names = cpuidFeatures.flatMap(({ bits }) => Object.values(bits));
  assert.equal(new Set(places).size, places.length);
  assert.equal(new Set(names).size, names.length);
});
