// Checks of the processors: what each finds, on which computer, and that it says so in a sentence with something to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alpha, beta } from '../fixture-computers.ts';
import { cpuChecks } from './cpu.ts';
import { type Case, cpu, found, tryGroup } from './fixture-cases.ts';

const cases: readonly Case[] = [
  { id: 'cpu-vendor', b: cpu({ vendor: 'AuthenticAMD' }), says: /^beta has a CPU of AuthenticAMD/ },
  { id: 'cpu-paging', b: cpu({ la57: true }), says: /differ in five-level paging/ },
  {
    id: 'cpu-x2apic',
    b: cpu({ x2apic: true }),
    says: /^The interrupt controllers of beta are in the mode x2APIC/,
  },
  {
    id: 'cpu-boot',
    b: cpu({ onlineApicIds: [1], apicIds: [0, 1] }),
    says: /^beta starts on the CPU with the number \(APIC id\) 1, the OS was started on 0\.$/,
  },
  {
    id: 'cpu-errors',
    b: cpu({ machineCheckBanks: 7 }),
    says: /^The CPU of beta has 7 registers for errors of the hardware, and the OS reads 10\.$/,
    hint: /^start the OS with mce=off/,
  },
  {
    id: 'cpu-flags',
    b: cpu({ flags: ['fpu', 'tsc_adjust'], model: 'y' }),
    says: /^The CPU of beta lacks: sse2/,
    hint: /^start the OS with clearcpuid=sse2, or/,
  },
  {
    id: 'cpu-flags',
    b: cpu({ flags: ['fpu', 'tsc_adjust'] }),
    says: /^The CPU of beta is of the same model as that of alpha, and lacks: sse2\.$/,
    hint: /^compare the two setups, and the microcode .*apt install intel-microcode.*yado standby build beta .*, or start the OS with clearcpuid=sse2$/,
  },
  {
    id: 'cpu-flags',
    a: { cpu: { ...alpha.cpu, flags: [...alpha.cpu.flags, 'ibt', 'invpcid_single'] } },
    b: cpu({ model: 'y' }),
    says: /^The CPU of beta lacks: ibt\.$/,
    hint: /clearcpuid=ibt/,
  },
  {
    id: 'cpu-flags', // avx2 is hidden from programs only with all that needs its registers
    a: { cpu: { ...alpha.cpu, flags: [...alpha.cpu.flags, 'avx', 'avx2'] } },
    b: cpu({ flags: [...beta.cpu.flags, 'avx'], model: 'y' }),
    says: /^The CPU of beta lacks: avx2\.$/,
    hint: /^start the OS with clearcpuid=avx,avx2, or choose/,
  },
  {
    id: 'cpu-flags', // no parameter keeps programs from using it
    a: { cpu: { ...alpha.cpu, flags: [...alpha.cpu.flags, 'bmi2'] } },
    b: cpu({ model: 'y' }),
    says: /^The CPU of beta lacks: bmi2\.$/,
    hint: /^choose another computer: programs find/,
  },
  {
    id: 'cpu-programs', // started with clearcpuid=bmi2
    a: { cpu: { ...alpha.cpu, instructions: ['bmi2', 'movbe'] } },
    says: /^The CPU of beta lacks what programs of the OS may have found on alpha: bmi2; one that uses it ends on beta\.$/,
    hint: /^end the programs that were started on alpha first$/,
  },
  {
    id: 'cpu-programs', // it had only the AVX of an older CPU at its start
    a: {
      cpu: { ...alpha.cpu, flags: [...alpha.cpu.flags, 'avx'], instructions: ['avx2', 'movbe'] },
    },
    b: cpu({ flags: [...beta.cpu.flags, 'avx'] }),
    says: /: avx2; /,
    hint: /^start the OS with clearcpuid=avx,avx2, or end the programs/,
  },
  {
    id: 'cpu-home',
    b: cpu({ instructions: ['avx2', 'bmi2', 'movbe'] }), // alpha's kernel has not switched on what avx2 needs
    says: /^Programs that are started on beta may use what the CPU of alpha lacks: bmi2; /,
  },
  {
    id: 'cpu-count',
    a: { cpu: { ...alpha.cpu, online: 2, onlineApicIds: [0, 1] } },
    says: /^beta lacks 1 of the 2 CPUs of alpha: the OS goes on with 1 there/,
  },
  {
    id: 'cpu-guests',
    os: { virtualMachines: ['qemu-system-x86 (pid 812)'] },
    b: cpu({ model: 'y' }),
    says: /^Virtual machines run on alpha \(qemu-system-x86 \(pid 812\)\), and the CPU of beta is another model/,
    hint: /virsh managedsave/,
  },
];

/** Found together with `cpu-count`. */
const withoutFirst: Case = {
  id: 'cpu-first',
  b: cpu({ apicIds: [2] }),
  says: /^beta has no CPU with the number \(APIC id\) 0/,
};

tryGroup(cpuChecks, cases, [withoutFirst.id]);

test('the first CPU cannot be switched off', () => {
  const results = found(withoutFirst);
  assert.deepEqual(
    results.map(check => check.id),
    ['cpu-count', 'cpu-first'],
  );
  assert.match(results[1]?.text ?? '', withoutFirst.says);
});

test('virtual machines may go on at a CPU of the same model; interrupt controllers may be older there, or unknown', () => {
  const virtualMachines = ['qemu-system-x86 (pid 812)'];
  assert.deepEqual(found({ os: { virtualMachines }, b: cpu({ model: alpha.cpu.model }) }), []);
  const newer = { cpu: { ...alpha.cpu, x2apic: true } };
  assert.deepEqual(found({ a: newer }), []);
  assert.deepEqual(found({ a: newer, b: cpu({ x2apic: null }) }), []);
  assert.deepEqual(found({ a: { cpu: { ...alpha.cpu, x2apic: null } }, b: cpu({ x2apic: true }) }), []);
});
