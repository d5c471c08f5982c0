// Preflight and the ways of devices, on the two computers of the paper: same NIC, other VGA card, printer only at A.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { type Capabilities, CapabilitiesSchema } from './capabilities.ts';
import { decideWay, functionsToQuiet, functionsToRemove, interfaceToTakeDown } from './device-ways.ts';
import {
  alpha as a,
  beta as b,
  diskA,
  hostBridge,
  MiB,
  nic,
  plainRequest as plain,
  plainOs,
  vgaA,
  vgaB,
} from './fixture-computers.ts';
import { inspectAlone, preflight, refusal } from './preflight.ts';

const failing = (from: Capabilities, to: Capabilities, request = plain) =>
  preflight(from, to, request)
    .checks.filter(check => !check.ok)
    .map(check => check.id);

test('the two computers of the paper pass', () => {
  v.parse(CapabilitiesSchema, a);
  v.parse(CapabilitiesSchema, JSON.parse(JSON.stringify(b)));
  assert.deepEqual(failing(a, b), []);
  assert.equal(preflight(a, b, plain).refused, false);
});

test('each obstacle is refused by its name', () => {
  const memory = (change: Partial<Capabilities['memory']>) => ({ memory: { ...b.memory, ...change } });
  const cases: [string, Partial<Capabilities>][] = [
    ['protocol', { protocol: 2 }],
    ['agent-image', { agentImageHash: 'cd' }],
    ['role', { role: 'active' }],
    ['role', { role: 'ghost' }],
    ['snapshot', { snapshotRefusal: { cause: 'lockdown', reason: 'locked down' } }],
    ['ram-map', memory({ ramRanges: [{ startPfn: 1, endPfn: 0x20000 }] })],
    ['memory-target', memory({ freeBytes: 100 * MiB })],
    ['cpu-vendor', { cpu: { ...b.cpu, vendor: 'AuthenticAMD' } }],
    ['cpu-paging', { cpu: { ...b.cpu, la57: true } }],
    ['cpu-x2apic', { cpu: { ...b.cpu, x2apic: true } }],
    ['cpu-flags', { cpu: { ...b.cpu, flags: ['fpu'] } }],
    ['nic', { nic: null }],
  ];
  for (const [id, change] of cases) {
    const result = preflight(a, { ...b, ...change }, plain);
    assert.deepEqual(
      result.checks.filter(check => !check.ok).map(check => check.id),
      [id],
    );
    assert.equal(result.refused, true, id);
    assert.equal(refusal('alpha', 'beta', result)?.exitCode, 4);
  }
});

test('more memory in use on A than an image holds is swapped out, or the move refused', () => {
  const full = { ...a, memory: { ...a.memory, usedBytes: 490 * MiB } };
  const refused = (source: typeof full) => preflight(source, b, plain).refused;
  assert.deepEqual([failing(full, b), refused(full)], [['memory-swap'], false]);
  const stuck = { ...full, os: { ...plainOs, swapping: { ...plainOs.swapping, obstacle: 'it cannot' } } };
  assert.deepEqual([failing(stuck, b), refused(stuck)], [['memory-source'], true]);
});

test('the target may have an older or a newer kernel than the OS, which is told; one too old is refused', () => {
  for (const kernelRelease of ['6.1.0-57-amd64', '6.12.1', '5.14.0', 'unheard of']) {
    assert.deepEqual(failing({ ...a, kernelRelease }, b), ['kernel-version']);
    assert.equal(preflight({ ...a, kernelRelease }, b, plain).refused, false);
    assert.deepEqual(failing(a, { ...b, kernelRelease }), ['kernel-version']);
  }
  for (const kernelRelease of ['5.10.0-30-amd64', '4.19.0', '5.13.19']) {
    assert.deepEqual(failing({ ...a, kernelRelease }, b), ['kernel-image']);
    assert.equal(preflight(a, { ...b, kernelRelease }, plain).refused, true);
  }
});

test('what an older kernel, or one started without it, does not name, a CPU of the same model has all the same', () => {
  const named = {
    ...a,
    cpu: { ...a.cpu, flags: [...a.cpu.flags, 'ibt', 'user_shstk', 'lam', 'invpcid_single'] },
  };
  assert.deepEqual(failing(named, b), []);
});

test('a few missing frames at the edge are told, not refused', () => {
  const edge = { ...b, memory: { ...b.memory, ramRanges: [{ startPfn: 1, endPfn: 0x3ffda }] } };
  const result = preflight(a, edge, plain);
  assert.equal(result.refused, false);
  assert.match(result.checks.find(check => check.id === 'ram-edge')?.text ?? '', /^3 page frames/);
});

test('a warning is accepted by its name only', () => {
  const fast = { ...b, clock: { ...b.clock, tscKhz: 3_600_000 } };
  assert.equal(preflight(a, fast, plain).refused, true);
  assert.equal(preflight(a, fast, { ...plain, acceptRisks: ['clock-rate'] }).refused, false);
  assert.throws(() => preflight(a, fast, { ...plain, acceptRisks: ['cpu-flags'] }), { code: 'unknownRisk' });
});

test('one computer alone: what compares two is left out, and what is not its side', () => {
  const ids = (computer: Capabilities) => inspectAlone(computer).checks.map(check => check.id);
  assert.ok(ids(a).includes('swap') && ids(a).includes('snapshot') && !ids(a).includes('ram-map'));
  assert.ok(ids(b).includes('snapshot') && !ids(b).includes('swap') && !ids(b).includes('memory-source'));
  assert.equal(inspectAlone(a).refused, false);
  const locked = { ...b, snapshotRefusal: { cause: 'lockdown', reason: 'it is locked down' } } as const;
  assert.equal(inspectAlone(locked).refused, true);
});

test('what is found on both computers is told of both, and refused once', () => {
  const warned = { panicsOnWarning: true };
  const result = preflight({ ...a, ...warned }, { ...b, ...warned }, plain);
  const texts = result.checks.filter(check => check.id === 'panic-on-warn').map(check => check.text);
  assert.deepEqual(
    texts.map(text => text.split(' ')[0]),
    ['alpha', 'beta'],
  );
  const accepted = { ...plain, acceptRisks: ['panic-on-warn'] };
  assert.equal(preflight({ ...a, ...warned }, { ...b, ...warned }, accepted).refused, false);
});

test('missing drivers: refused for the NIC, told for others', () => {
  const missing = (address: string) => ({
    ...plain,
    missingDrivers: [{ address, modalias: 'pci:x' }],
  });
  assert.equal(preflight(a, b, missing(nic.address)).refused, true);
  assert.equal(preflight(a, b, missing(vgaB.address)).refused, false);
});

test('ways: NIC straight through, VGA converted, disk and printer over the network', () => {
  const way = (
    device: string,
    deviceClass: 'display' | 'network' | 'disk' | 'printer',
    pciAddress?: string,
  ) =>
    decideWay(
      {
        device,
        class: deviceClass,
        osType: '-',
        computer: 'alpha',
        ...(pciAddress !== undefined && { pciAddress }),
      },
      a,
      b,
    );
  assert.equal(way('network0', 'network', nic.address).way, 'direct');
  assert.equal(way('display0', 'display', vgaA.address).way, 'converted');
  assert.deepEqual(
    [way('disk0', 'disk', diskA.address), way('printer0', 'printer')].map(each => [each.way, each.computer]),
    [
      ['remote', 'alpha'],
      ['remote', 'alpha'],
    ],
  );
});

test('ways: back at A its disk is direct again; a headless target loses the display', () => {
  const disk = { device: 'disk0', class: 'disk', osType: '-', computer: 'alpha' } as const;
  assert.equal(decideWay(disk, b, a).way, 'direct');
  const display = {
    device: 'display0',
    class: 'display',
    osType: '-',
    computer: 'alpha',
    pciAddress: vgaA.address,
  } as const;
  const lost = decideWay(display, a, { ...b, pci: [nic], devices: ['network'] });
  assert.deepEqual([lost.way, lost.computer], ['lost', 'beta']);
});

test('removed before the image: what B has not in the same place, never the host bridge', () => {
  assert.deepEqual(functionsToRemove(a, b), [diskA, vgaA]);
  const other = { ...nic, address: '0000:01:00.0' };
  const pci = [{ ...hostBridge, device: 0x29c0 }, vgaA, other];
  assert.deepEqual(functionsToRemove(a, { pci, nic: null }), [diskA, nic]);
});

test('removed before the image: an equal controller with disks, and a card that the target does not use', () => {
  const disk = { ...diskA, disks: 1 };
  assert.deepEqual(functionsToRemove({ ...a, pci: [nic, disk] }, { ...b, pci: [nic, disk] }), [disk]);
  assert.deepEqual(functionsToRemove({ ...a, pci: [nic, diskA] }, { ...b, pci: [nic, disk] }), [diskA]);
  assert.deepEqual(functionsToRemove({ ...a, pci: [nic, diskA] }, { ...b, pci: [nic, diskA] }), []);
  const second = { ...nic, address: '0000:00:06.0' };
  const there = { pci: [nic, second], nic: { ...a.nic!, pciAddress: second.address } };
  assert.deepEqual(functionsToRemove({ ...a, pci: [nic] }, there), [nic]);
  const device = { device: 'network0', class: 'network', osType: '-', computer: 'alpha' } as const;
  const way = decideWay({ ...device, pciAddress: nic.address }, a, { ...b, ...there });
  assert.deepEqual([way.way, way.targetPciAddress], ['direct', second.address]);
});

test('taken down on the target: the interface of a card that nothing else stops', () => {
  const of = (driver: string) => ({ pci: [{ ...nic, driver }], nic: { ...a.nic!, pciAddress: nic.address } });
  for (const driver of ['vmxnet3', 'e1000e']) assert.equal(interfaceToTakeDown(of(driver)), a.nic!.name);
  assert.equal(interfaceToTakeDown(of('virtio-pci')), undefined);
  assert.equal(interfaceToTakeDown({ pci: [{ ...nic, driver: 'vmxnet3' }], nic: null }), undefined);
});

test('silenced on the target: what the OS will not know and no driver stops, never a bridge', () => {
  const { driver: _, ...idle } = vgaA;
  const sound = { ...idle, address: '0000:00:04.0', class: 0x040100 };
  const disk = { ...diskA, driver: 'virtio-pci' };
  const target = [hostBridge, nic, vgaA, sound, disk];
  assert.deepEqual(functionsToQuiet(target, [nic.address]), [vgaA, sound]);
  assert.deepEqual(functionsToQuiet(target, [nic.address, vgaA.address, sound.address]), []);
});

test('a refusal for one reason says what to do about that one; for several, what tells of them', () => {
  const next = (change: object): string | undefined =>
    refusal('alpha', 'beta', preflight(a, { ...b, ...change }, plain))?.hint;
  const panics = { panicsOnWarning: true };
  assert.match(next(panics) ?? '', /sysctl.*; or accept it: yado migrate beta --accept-risk panic-on-warn$/);
  assert.doesNotMatch(
    next({ cpu: { ...b.cpu, vendor: 'AuthenticAMD' } }) ?? '--accept-risk',
    /--accept-risk/,
  );
  assert.equal(next({ ...panics, protocol: 9 }), 'yado doctor --with beta');
  assert.equal(next({}), undefined);
});
