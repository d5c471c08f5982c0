// Checks of devices and programs: what each finds, on which computer, and that it says so in a sentence with something to do.
import { alpha, beta, diskA, hostBridge, nic, vgaA, vgaB } from '../fixture-computers.ts';
import { deviceChecks } from './devices.ts';
import { type Case, tryGroup, way } from './fixture-cases.ts';

const sound = { ...vgaA, address: '0000:00:1b.0', class: 0x040300 };
const bridge = { ...vgaA, address: '0000:00:1c.0', class: 0x060400 };
const heldSound = {
  pciAddress: sound.address,
  bridges: [],
  device: '/dev/snd/controlC0',
  programs: ['pipewire (pid 812)'],
};

const cases: readonly Case[] = [
  {
    id: 'device-drivers',
    request: { missingDrivers: [{ address: vgaB.address, modalias: 'pci:x' }] },
    says: /no driver for 1 devices of beta: 0000:00:02\.0/,
  },
  {
    id: 'driver-lasts',
    a: { pci: [hostBridge, { ...vgaA, driver: 'qxl' }, nic, diskA] },
    says: /^On alpha the OS uses the driver qxl \(0000:00:02\.0\), which Linux cannot take away without a panic\.$/,
    hint: /^start the OS with modprobe\.blacklist=qxl;/,
  },
  {
    id: 'devices-held',
    a: { pci: [...alpha.pci, sound] },
    os: { heldCards: [heldSound] },
    says: /^Programs on alpha have devices open that .*: \/dev\/snd\/controlC0 \(0000:00:1b\.0\) by pipewire \(pid 812\)\.$/,
    hint: /: systemctl --user stop pipewire\.socket .* wireplumber$/,
  },
  {
    id: 'devices-held', // both have the card, and the bridge before it differs
    a: { pci: [...alpha.pci, sound, bridge] },
    b: { pci: [...beta.pci, sound] },
    os: { heldCards: [{ ...heldSound, bridges: [bridge.address], device: '/dev/i2c-3' }] },
    says: /: \/dev\/i2c-3 \(0000:00:1b\.0\) by /,
    hint: /^end these programs, and start them again/,
  },
  {
    id: 'driver-left-out',
    request: { lastingDrivers: [{ address: vgaB.address, module: 'qxl' }] },
    says: /^On beta the OS does without the driver qxl \(0000:00:02\.0\), which Linux could not take away again\.$/,
  },
  {
    id: 'devices-lost',
    request: { ways: [way({ device: 'display0', class: 'display', way: 'lost' })] },
    says: /^On beta the OS would have no display0/,
  },
  { id: 'usbip', os: { usbipDevices: 2 }, says: /^alpha uses 2 USB devices/, hint: /usbip detach/ },
  { id: 'tasks', os: { waitingTasks: ['dd (pid 812)'] }, says: /On alpha .*: dd \(pid 812\)/ },
  { id: 'fuse', os: { fuseRequests: 3 }, says: /On alpha 3 requests/ },
];

tryGroup(deviceChecks, cases);
