// Preflight and the ways of devices, on the two computers of the paper: same NIC, other VGA card, printer only at A.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { type Capabilities, CapabilitiesSchema, type PciFunction } from './capabilities.ts';
import { decideWay, functionsToQuiet, functionsToRemove } from './device-ways.ts';
import { preflight, refusal } from './preflight.ts';

const MiB = 1024 * 1024;
const card = (address: string, vendor: number, device: number, classCode: number): PciFunction => ({
  address,
  vendor,
  device,
  class: classCode,
  subsystem: { vendor: 0x1af4, device: 0x1100 },
  modalias: `pci:v${vendor}d${device}`,
});
const hostBridge = card('0000:00:00.0', 0x8086, 0x1237, 0x060000);
const nic = card('0000:00:03.0', 0x1af4, 0x1000, 0x020000);
const vgaA = card('0000:00:02.0', 0x1234, 0x1111, 0x030000);
const vgaB = card('0000:00:02.0', 0x1013, 0x00b8, 0x030000);
const diskA = card('0000:00:04.0', 0x1af4, 0x1001, 0x010000);

const a: Capabilities = {
  protocol: 1,
  name: 'a',
  role: 'active',
  agentImageHash: 'ab',
  kernelRelease: '6.1.0-56-amd64',
  cpu: { vendor: 'GenuineIntel', model: 'x', flags: ['fpu', 'sse2', 'ht'], count: 1, la57: false },
  memory: {
    totalBytes: 1000 * MiB,
    freeBytes: 600 * MiB,
    usedBytes: 300 * MiB,
    ramRanges: [
      { startPfn: 1, endPfn: 0x9f },
      { startPfn: 0x100, endPfn: 0x3ffdd },
    ],
  },
  e820Checksum: 1,
  physicalPageCount: 0x3ff7b,
  rsdp: 0xf5ae0,
  pci: [hostBridge, vgaA, nic, diskA],
  nic: { name: 'eth0', mac: '52:54:00:00:00:01', pciAddress: nic.address, address: '192.0.2.1/24' },
  snapshot: { available: true },
  cipherRates: { aes128gcm: 2e8, chacha20poly1305: 3e8 },
  devices: ['display', 'network', 'disk', 'printer'],
};
const b: Capabilities = {
  ...a,
  name: 'b',
  role: 'standby',
  cpu: { ...a.cpu, flags: ['fpu', 'sse2'] },
  memory: { ...a.memory, freeBytes: 800 * MiB, usedBytes: 60 * MiB },
  pci: [hostBridge, vgaB, nic],
  devices: ['display', 'network'],
};
const plain = { acceptRisks: [], missingDrivers: [] };
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
    ['snapshot', { snapshot: { available: false, reason: 'locked down' } }],
    ['ram-map', memory({ ramRanges: [{ startPfn: 1, endPfn: 0x20000 }] })],
    ['memory-target', memory({ freeBytes: 100 * MiB })],
    ['cpu-vendor', { cpu: { ...b.cpu, vendor: 'AuthenticAMD' } }],
    ['cpu-paging', { cpu: { ...b.cpu, la57: true } }],
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
    assert.equal(refusal('a', 'b', result)?.exitCode, 4);
  }
});

test('too much memory in use on A is refused', () => {
  assert.deepEqual(failing({ ...a, memory: { ...a.memory, usedBytes: 490 * MiB } }, b), ['memory-source']);
});

test('a newer kernel does not move to an older one that cannot read its image', () => {
  assert.deepEqual(failing({ ...a, kernelRelease: '6.12.1' }, b), ['kernel-image']);
  assert.deepEqual(failing(a, { ...b, kernelRelease: '6.12.1' }), []);
});

test('a few missing frames at the edge are told, not refused', () => {
  const edge = { ...b, memory: { ...b.memory, ramRanges: [{ startPfn: 1, endPfn: 0x3ffda }] } };
  const result = preflight(a, edge, plain);
  assert.equal(result.refused, false);
  assert.match(result.checks.find(check => check.id === 'ram-edge')?.text ?? '', /^3 page frames/);
});

test('a warning is accepted by its name only', () => {
  const two = { ...a, cpu: { ...a.cpu, count: 2 } };
  assert.equal(preflight(two, b, plain).refused, true);
  assert.equal(preflight(two, b, { ...plain, acceptRisks: ['cpu-count'] }).refused, false);
  assert.throws(() => preflight(two, b, { ...plain, acceptRisks: ['cpu-flags'] }), { code: 'unknownRisk' });
});

test('missing drivers: refused for the NIC, told for others', () => {
  const missing = (address: string) => ({
    acceptRisks: [],
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
        computer: 'a',
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
      ['remote', 'a'],
      ['remote', 'a'],
    ],
  );
});

test('ways: back at A its disk is direct again; a headless target loses the display', () => {
  const disk = { device: 'disk0', class: 'disk', osType: '-', computer: 'a' } as const;
  assert.equal(decideWay(disk, b, a).way, 'direct');
  const display = {
    device: 'display0',
    class: 'display',
    osType: '-',
    computer: 'a',
    pciAddress: vgaA.address,
  } as const;
  const lost = decideWay(display, a, { ...b, pci: [nic], devices: ['network'] });
  assert.deepEqual([lost.way, lost.computer], ['lost', 'b']);
});

test('removed before the image: what B has not in the same place, never the host bridge', () => {
  assert.deepEqual(functionsToRemove(a.pci, b.pci), [diskA, vgaA]);
  assert.deepEqual(
    functionsToRemove(a.pci, [{ ...hostBridge, device: 0x29c0 }, vgaA, { ...nic, address: '0000:01:00.0' }]),
    [diskA, nic],
  );
});

test('silenced on the target: what the OS will not know and no driver stops, never a bridge', () => {
  const { driver: _, ...idle } = vgaA;
  const sound = { ...idle, address: '0000:00:04.0', class: 0x040100 };
  const disk = { ...diskA, driver: 'virtio-pci' };
  const target = [hostBridge, nic, vgaA, sound, disk];
  assert.deepEqual(functionsToQuiet(target, [nic.address]), [vgaA, sound]);
  assert.deepEqual(functionsToQuiet(target, [nic.address, vgaA.address, sound.address]), []);
});
