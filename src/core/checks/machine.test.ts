// Checks of clocks, firmware and watchdogs: what each finds, on which computer, and that it says so in a sentence with something to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alpha, beta, nic, plainOs } from '../fixture-computers.ts';
import { isForeign } from '../same-firmware.ts';
import { type Case, clock, cpu, firmware, found, foundIds, memory, tryGroup } from './fixture-cases.ts';
import { machineChecks } from './machine.ts';

const cases: readonly Case[] = [
  {
    id: 'clock-rate',
    b: clock({ tscKhz: 3_600_000 }),
    says: /beta counts time at 3600 MHz.* too fast/,
    hint: /^on alpha: echo hpet > /,
  },
  {
    id: 'clock-rate',
    a: clock({ sources: ['tsc', 'acpi_pm'] }),
    b: clock({ tscKhz: 3_600_000 }),
    says: /too fast/,
    hint: /^on alpha: echo acpi_pm > /,
  },
  {
    id: 'clock-rate',
    a: clock({ sources: ['tsc', 'acpi_pm'] }), // it answers elsewhere
    b: clock({ tscKhz: 3_600_000, pmTimerPort: 0x1808 }),
    says: /too fast/,
    hint: /^choose another computer/,
  },
  {
    id: 'clock-place',
    a: clock({ source: 'acpi_pm' }),
    b: clock({ pmTimerPort: 0x1808 }),
    says: /^The OS on alpha goes by the clock acpi_pm, which beta does not have in the same place/,
    hint: /^on alpha: echo tsc > /,
  },
  {
    id: 'clock-place',
    a: clock({ source: 'hpet', sources: ['hpet'] }),
    b: memory(beta, { deviceRanges: [] }),
    says: /goes by the clock hpet/,
    hint: /^choose another computer$/,
  },
  {
    id: 'clock-watch',
    a: { cpu: { ...alpha.cpu, flags: ['fpu', 'sse2', 'ht'] } },
    b: memory(beta, { deviceRanges: [] }),
    says: /^The OS on alpha compares its time with the clock hpet, which beta does not have/,
    hint: /^start the OS with tsc=reliable$/,
  },
  {
    id: 'clock-drift',
    b: clock({ tscKhz: 2_590_000 }),
    says: /0\.24 % too slow/,
    hint: /^nothing to do, or on alpha: echo hpet > /,
  },
  {
    id: 'clock-drift',
    a: clock({ sources: ['tsc'] }),
    b: clock({ tscKhz: 2_590_000 }),
    says: /too slow/,
    hint: /^nothing to do$/,
  },
  {
    id: 'clock-source',
    b: clock({ sources: ['acpi_pm'] }),
    says: /goes by the clock tsc; beta offers acpi_pm/,
  },
  {
    id: 'rtc',
    b: clock({ rtcSeconds: beta.clock.systemSeconds + 3600 }),
    says: /of beta is 1 h 0 min ahead of that of alpha\.$/,
    hint: /^set it to UTC in the setup of beta$/,
  },
  {
    id: 'rtc', // alpha's shows local time
    a: clock({ rtcSeconds: alpha.clock.systemSeconds + 3600 }),
    says: /of beta is 1 h 0 min behind that of alpha\.$/,
    hint: /^on alpha: hwclock --systohc --utc /,
  },
  {
    id: 'model',
    b: firmware({ version: '1.17' }),
    says: /started on Maker Model 1 \(BIOS 1\.16\), beta is .*1\.17/,
  },
  { id: 'mtrr', b: firmware({ mtrrs: ['reg00: other'] }), says: /^alpha and beta differ in which memory/ },
  {
    id: 'watchdog',
    os: { watchdogs: ['iTCO_wdt, 60 s'] },
    says: /watchdog of alpha is armed \(iTCO_wdt, 60 s\)/,
  },
];

/** These are found together with `model`: they matter only on another one. */
const onAnotherModel: readonly Case[] = [
  {
    id: 'interrupts',
    b: {
      pci: beta.pci.map(each => (each === nic ? { ...each, sendsMessages: false, driver: 'e1000' } : each)),
    },
    says: /^The network card of beta \(e1000\) raises interrupts over wires .* Maker Model 1 only/,
    hint: /MSI/,
  },
  { id: 'acpi-tables', os: { hasCopiedDsdt: false }, says: /in the memory of alpha, where beta/ },
  { id: 'firmware-calls', a: firmware({ isCalled: true }), says: /UEFI firmware of Maker Model 1; on beta/ },
  {
    id: 'error-reports',
    a: firmware({ hasErrorReports: true }),
    says: /where the firmware of Maker Model 1 leaves them; on beta/,
    hint: /^start the OS with hest_disable$/,
  },
  { id: 'iommu', a: firmware({ hasIommu: true }), says: /the IOMMU of Maker Model 1, which beta/ },
];

tryGroup(
  machineChecks,
  cases,
  onAnotherModel.map(each => each.id),
);

test('a computer is foreign where another model stands, but never at home', () => {
  const a = { ...alpha, os: plainOs };
  const other = { ...beta, firmware: { ...beta.firmware, model: 'Maker Model 2' } };
  assert.equal(isForeign(a, beta), false);
  assert.equal(isForeign(a, other), true);
  assert.equal(isForeign(a, { ...other, name: 'alpha' }), false);
});

test('in a computer of the same model the firmware may lie elsewhere; at home it does not', () => {
  const uefi = { kind: 'UEFI', isCalled: true } as const;
  const twin = { firmware: { ...beta.firmware, kind: 'UEFI' as const }, e820Checksum: 2 };
  const a = { ...firmware(uefi), e820Checksum: 1 };
  assert.deepEqual(foundIds({ a, b: twin }), ['firmware-calls']);
  assert.deepEqual(foundIds({ a, b: { ...twin, e820Checksum: 1 } }), []);
  assert.deepEqual(foundIds({ a, os: { home: 'beta' }, b: twin }), []);
});

for (const each of onAnotherModel) {
  test(`${each.id}: only where the firmware is another one`, () => {
    assert.deepEqual(found(each), []);
    const results = found({
      ...each,
      b: { ...each.b, firmware: { ...beta.firmware, model: 'Maker Model 2' } },
    });
    assert.deepEqual(results.map(check => check.id).toSorted(), [each.id, 'model'].toSorted());
    assert.match(results.find(check => check.id === each.id)?.text ?? '', each.says);
  });
}

test('what nobody knows is no finding: a log that has lost the clock rate, a firmware that names no CPUs', () => {
  const unknown = {
    ...clock({ tscKhz: null, rtcSeconds: null, sources: [] }),
    ...cpu({ apicIds: [] }),
  };
  assert.deepEqual(found({ b: unknown }), []);
  assert.deepEqual(found({ a: clock({ source: 'hpet' }), b: clock({ tscKhz: 1 }) }), []);
});

test('two clocks in local time agree, and so does one of them that nobody can read', () => {
  const local = clock({ rtcSeconds: alpha.clock.systemSeconds + 3600 });
  assert.deepEqual(found({ a: local, b: local }), []);
  assert.deepEqual(found({ a: clock({ rtcSeconds: null }), b: local }), []);
});
