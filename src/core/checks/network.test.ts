// Checks of the network: what each finds, on which computer, and that it says so in a sentence with something to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alpha, beta, nic, plainOs, usb } from '../fixture-computers.ts';
import { type Case, found, tryGroup, way } from './fixture-cases.ts';
import { networkChecks } from './network.ts';

const cases: readonly Case[] = [
  { id: 'nic', b: { nic: null }, says: /^beta has no network card/ },
  {
    id: 'nic-driver',
    request: { missingDrivers: [{ address: nic.address, modalias: 'pci:x' }] },
    says: /no driver for the network card of beta \(pci:x\)/,
  },
  {
    id: 'network-bridge',
    a: { nic: null },
    os: { ports: [] },
    says: /no bridge os0/,
    hint: /^set it up as step 3 /,
  },
  { id: 'nic', a: { nic: null }, says: /^alpha has no network card that works\.$/ },
  {
    id: 'network-card', // a bond, a VLAN
    a: { nic: { ...alpha.nic!, name: 'bond0', pciAddress: null } },
    says: /^The network card of alpha that the OS travels over \(bond0\) is no PCI card: it would not be found again\.$/,
  },
  {
    id: 'network-card', // at USB, though there is a card on PCI too
    b: { pci: [...beta.pci, usb], nic: { ...beta.nic!, pciAddress: usb.address } },
    request: { ways: [way({ way: 'converted' })] },
    says: /^The network card of beta \(eth0\) is no PCI card: the OS could not find it there\.$/,
    hint: /^start beta with yado\.nic=/,
  },
  {
    id: 'network-card',
    b: { nic: { ...beta.nic!, pciAddress: null } },
    says: /of beta \(eth0\) is no PCI card/,
  },
  {
    id: 'network-ports',
    os: { ports: ['eth1', 'eth0', 'eth2'].map(name => ({ name, isCard: true })) },
    says: /^Several cards of alpha are in the bridge os0: eth1, eth0, eth2\.$/,
    hint: /^ip link set eth1 nomaster; ip link set eth2 nomaster; and in .*20-nic\.network: Name=eth0$/,
  },
  {
    id: 'network-rivals',
    os: { networkRivals: [{ program: 'NetworkManager (pid 812)', unit: 'NetworkManager' }] },
    says: /^On alpha NetworkManager \(pid 812\) takes network cards for its own/,
    hint: /^systemctl disable --now NetworkManager$/,
  },
  {
    id: 'network-reach',
    a: { nic: { ...alpha.nic!, address: '10.0.1.11/24' } },
    b: { nic: { ...beta.nic!, address: '10.0.2.12/16' } },
    says: /^The machine addresses of alpha \(10\.0\.1\.11\/24\) and beta \(10\.0\.2\.12\/16\) do not lie in one network/,
    hint: /prefix length/,
  },
  {
    id: 'network-way',
    request: { ways: [way({ way: 'lost' })] },
    says: /no network on beta: beta has no network/,
  },
  { id: 'wireguard', os: { wireguard: ['wg0'] }, says: /WireGuard on alpha \(wg0\)/ },
];

tryGroup(networkChecks, cases);

test('a tap in the bridge is no second card', () => {
  const ports = [...plainOs.ports, { name: 'tap0', isCard: false }];
  assert.deepEqual(found({ os: { ports } }), []);
});
