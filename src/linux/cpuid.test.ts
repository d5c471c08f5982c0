import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onlyWhatThereIs, withCpuid } from './cpuid.ts';

/** As a CPU answers: a last leaf of each kind, and nonsense beyond. */
const cpu = (leaf: number, subleaf: number) => {
  const nonsense = { eax: 0xffff_ffff, ebx: 0xffff_ffff, ecx: 0xffff_ffff, edx: 0xffff_ffff };
  if (leaf === 0) return { ...nonsense, eax: 7 };
  if (leaf === 0x8000_0000) return { ...nonsense, eax: 0x8000_0001 };
  if (leaf === 7) return subleaf <= 1 ? { eax: 1, ebx: subleaf, ecx: 0, edx: 0 } : nonsense;
  return leaf === 1 || leaf === 0x8000_0001 ? { eax: 0, ebx: leaf, ecx: 0, edx: 0 } : nonsense;
};

test('leaves and subleaves beyond the last one are not believed', () => {
  const cpuid = onlyWhatThereIs(cpu);
  assert.equal(cpuid(1, 0)?.ebx, 1);
  assert.equal(cpuid(7, 1)?.ebx, 1);
  assert.equal(cpuid(7, 2), undefined);
  assert.equal(cpuid(0xd, 1), undefined);
  assert.equal(cpuid(0x8000_0001, 0)?.ebx, 0x8000_0001);
  assert.equal(cpuid(0x8000_0008, 0), undefined);
});

test('a computer whose CPU cannot be asked says nothing', () => {
  assert.equal(
    withCpuid(() => 1, '/nowhere'),
    undefined,
  );
});
