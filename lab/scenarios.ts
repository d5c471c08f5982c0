// The sets of computers the lab knows by name. A new scenario is a new entry; nothing else changes.
// Pure data.

import type { ComputerSpec } from './computer-spec.ts';
import { LabError } from './lab-error.ts';

/** Computers that stand in one network. */
export interface Scenario {
  readonly about: string;
  readonly computers: readonly ComputerSpec[];
}

const a: ComputerSpec = {
  name: 'a',
  role: 'os',
  ramMiB: 1536,
  cpus: 2,
  machine: 'pc',
  nic: 'virtio-net-pci',
  mac: '52:54:00:00:01:01',
  address: '10.77.0.1/24',
  vga: 'std',
  disk: 'virtio-blk',
  printer: 'parallel',
};

const b: ComputerSpec = {
  name: 'b',
  role: 'standby',
  ramMiB: 1536,
  cpus: 2,
  machine: 'pc',
  nic: 'virtio-net-pci',
  mac: '52:54:00:00:01:02',
  address: '10.77.0.2/24',
  vga: 'cirrus',
};

const c: ComputerSpec = {
  name: 'c',
  role: 'standby',
  ramMiB: 1536,
  cpus: 2,
  machine: 'pc',
  nic: 'e1000e',
  mac: '52:54:00:00:01:03',
  address: '10.77.0.3/24',
  vga: 'virtio',
};

/** Two computers of the same kind, each with a disk of its own and no memory set aside: what other ways of moving ask for. */
const peers: readonly ComputerSpec[] = [a, { ...a, name: 'b', mac: b.mac, address: b.address }].map(each => ({
  ...each,
  setAside: false,
  spareMiB: 2048,
}));

/** Copies of B under other names. */
const likeB = (name: string, number: number): ComputerSpec => ({
  ...b,
  name,
  mac: `52:54:00:00:01:0${number}`,
  address: `10.77.0.${number}/24`,
});

const scenarios: Readonly<Record<string, Scenario>> = {
  paper: { about: 'Fig. 5: B has another display, no disk and no printer', computers: [a, b] },
  chain: {
    about: 'paper, and a computer C with a third kind of display and another network card',
    computers: [a, b, c],
  },
  plain: {
    about: 'as paper, but no memory is set aside for the agent',
    computers: [a, b].map(each => ({ ...each, setAside: false })),
  },
  print: {
    about: 'as paper, but B has a printer too, and a graphics card that no driver takes',
    computers: [a, { ...b, printer: 'parallel', vga: 'vmware' }],
  },
  usb: {
    about: 'as paper, but A has no printer port: its printer is plugged into USB; B has other cards again',
    computers: [
      { ...a, printer: undefined },
      { ...b, vga: 'virtio', nic: 'e1000' },
    ],
  },
  pair: {
    about: 'as paper, but A and B have not been paired; A has two disks at one controller, B one of its own',
    computers: [
      // The ACPI tables of B are larger by a card.
      { ...a, disk: 'ahci', spareMiB: 64, kernelParameters: ['mem=1535M'] },
      { ...b, paired: false, spareMiB: 64 },
    ],
  },
  bigmem: {
    about: 'as paper, with less memory: most of it will be in use',
    computers: [a, b].map(each => ({ ...each, ramMiB: 1280, translatedMiB: 192 })),
  },
  many: {
    about: 'as paper, and three more computers like B: four first visits in one boot',
    computers: [a, b, likeB('c', 3), likeB('d', 4), likeB('e', 5)],
  },
  follow: {
    about: 'as paper, without a printer; B has an empty disk that is a little larger than that of A',
    computers: [
      { ...a, printer: undefined },
      { ...b, spareMiB: 3200 },
    ],
  },
  shared: {
    about: 'as paper, without a printer; B reaches the disk of A by itself',
    computers: [
      { ...a, printer: undefined, sharedDisk: 'a' },
      { ...b, disk: 'virtio-blk', sharedDisk: 'a' },
    ],
  },
  peers: { about: 'two computers like A, with a spare disk, both for a plain Debian', computers: peers },
  alone: { about: 'computer A only', computers: [a] },
};

/** Names and descriptions of all scenarios. */
export function scenarioList(): readonly { name: string; about: string }[] {
  return Object.entries(scenarios).map(([name, { about }]) => ({ name, about }));
}

/** A scenario by name. @throws LabError listing the names there are. */
export function scenarioNamed(name: string): Scenario {
  const scenario = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;
  if (!scenario) throw new LabError(`no scenario "${name}"`, `one of: ${Object.keys(scenarios).join(', ')}`);
  return scenario;
}
