// Capabilities come from a computer that need not be believed: what has another shape, or is longer than it may be, is
// refused as a whole; what is accepted can be compared, whatever its figures are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as v from 'valibot';
import { type Capabilities, CapabilitiesSchema, capabilityLimits } from './capabilities.ts';
import { alpha, beta, plainRequest } from './fixture-computers.ts';
import { osStateLimits } from './os-state.ts';
import { preflight } from './preflight.ts';

const isAccepted = (value: unknown): boolean => v.safeParse(CapabilitiesSchema, value).success;
const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
const range = { name: 'x', startPfn: 1, endPfn: 2 };
const long = 'x'.repeat(257);

test('what two computers report is accepted', () => {
  assert.ok(isAccepted(alpha));
  assert.ok(isAccepted(JSON.parse(JSON.stringify(beta))));
});

test('too long, too many, of another kind, or more than was asked for: refused', () => {
  const { cpu, memory, clock, firmware, os } = alpha;
  const bad: unknown[] = [
    { ...alpha, extra: 1 },
    { ...alpha, os: undefined },
    { ...alpha, os: { ...os, extra: [] } },
    { ...alpha, os: { ...os, classes: ['tape'] } },
    { ...alpha, os: { ...os, waitingTasks: many(osStateLimits.tasks + 1, 'x') } },
    { ...alpha, os: { ...os, waitingTasks: [long] } },
    { ...alpha, os: { ...os, mounts: many(osStateLimits.mounts + 1, { device: 'x', path: 'y' }) } },
    { ...alpha, os: { ...os, swaps: [{ path: 'x', kind: 'tape', usedBytes: 1 }] } },
    { ...alpha, cpu: { ...cpu, online: 0 } },
    { ...alpha, cpu: { ...cpu, instructions: [long] } },
    { ...alpha, cpu: { ...cpu, onlineApicIds: many(capabilityLimits.cpus + 1, 0) } },
    { ...alpha, cpu: { ...cpu, apicIds: [-1] } },
    { ...alpha, memory: { ...memory, deviceRanges: many(capabilityLimits.deviceRanges + 1, range) } },
    { ...alpha, memory: { ...memory, deviceRanges: [{ ...range, endPfn: 1 }] } },
    { ...alpha, memory: { ...memory, deviceRanges: [{ ...range, name: long }] } },
    { ...alpha, clock: { ...clock, sources: many(capabilityLimits.clockSources + 1, 'x') } },
    { ...alpha, clock: { ...clock, tscKhz: Number.NaN } },
    { ...alpha, clock: { ...clock, rtcSeconds: 1.5 } },
    { ...alpha, firmware: { ...firmware, kind: 'coreboot' } },
    { ...alpha, firmware: { ...firmware, mtrrs: many(capabilityLimits.mtrrs + 1, 'x') } },
    { ...alpha, firmware: { ...firmware, model: long } },
    { ...alpha, panicsOnWarning: 'no' },
    { ...alpha, snapshotRefusal: { cause: 'mood', reason: 'x' } },
    { ...alpha, snapshotRefusal: { cause: 'unknown', reason: long } },
  ];
  for (const each of bad) assert.ok(!isAccepted(each), JSON.stringify(each).slice(0, 200));
});

const count = fc.maxSafeNat();
const short = fc.string({ maxLength: 256 });
const hostile: fc.Arbitrary<Partial<Capabilities>> = fc.record({
  name: fc.string({ minLength: 1, maxLength: 256 }),
  kernelRelease: short,
  cpu: fc.record({
    vendor: short,
    model: short,
    flags: fc.array(fc.string({ maxLength: 64 }), { maxLength: 20 }),
    instructions: fc.option(fc.array(fc.string({ maxLength: 64 }), { maxLength: 20 })),
    count: count.map(each => Math.max(1, each)),
    online: count.map(each => Math.max(1, each)),
    onlineApicIds: fc.array(count, { maxLength: 20 }),
    apicIds: fc.array(count, { maxLength: 20 }),
    la57: fc.boolean(),
    x2apic: fc.option(fc.boolean()),
    machineCheckBanks: fc.nat(),
  }),
  clock: fc.record({
    pmTimerPort: fc.option(fc.nat()),
    source: short,
    sources: fc.array(short, { maxLength: 16 }),
    tscKhz: fc.option(count),
    systemSeconds: count,
    rtcSeconds: fc.option(count),
  }),
  firmware: fc.record({
    kind: fc.constantFrom('BIOS', 'UEFI'),
    isCalled: fc.boolean(),
    model: short,
    version: short,
    mtrrs: fc.array(short, { maxLength: 64 }),
    hasIommu: fc.boolean(),
    hasErrorReports: fc.boolean(),
  }),
});

/** What a sentence has where a value was missing. */
const notWords = /NaN|undefined/;

test('whatever a target reports, the checks end in sentences', () => {
  fc.assert(
    fc.property(hostile, change => {
      const target = { ...beta, ...change };
      // A target that calls its clock "NaN" is quoted as it is; a number that is none would be null here.
      const isSaidByIt = notWords.test(JSON.stringify(change));
      if (!isAccepted(target) || isSaidByIt) return;
      for (const { text } of preflight(alpha, target, plainRequest).checks)
        assert.doesNotMatch(text, notWords);
    }),
    { examples: [[{ clock: { ...beta.clock, tscKhz: 0 } }]] },
  );
});

test('many ranges of a hostile target are compared in a moment', () => {
  const ramRanges = Array.from({ length: 4096 }, (_, i) => ({ startPfn: 2 * i + 1, endPfn: 2 * i + 2 }));
  const deviceRanges = Array.from({ length: capabilityLimits.deviceRanges }, (_, i) => ({
    name: `0000:00:${(i % 32).toString(16).padStart(2, '0')}.0`,
    startPfn: 4 * i,
    endPfn: 4 * i + 4,
  }));
  const source = { ...alpha, memory: { ...alpha.memory, deviceRanges } };
  const target = { ...beta, memory: { ...beta.memory, ramRanges } };
  const before = performance.now();
  preflight(source, target, plainRequest);
  assert.ok(performance.now() - before < 5000);
});
