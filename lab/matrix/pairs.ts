// The matrix: pairs of computers that differ, and what a move between them is expected to come to. Pure data. Pairs whose
// A is the same stand together: it is booted once for them.

import type { ComputerSpec } from '../computer-spec.ts';
import { LabError } from '../lab-error.ts';
import { type Scenario, scenarioNamed } from '../scenarios.ts';

type Hardware = Partial<
  Pick<
    ComputerSpec,
    | 'machine'
    | 'firmware'
    | 'nic'
    | 'vga'
    | 'disk'
    | 'sound'
    | 'address'
    | 'iommu'
    | 'spareMiB'
    | 'ramMiB'
    | 'cpus'
    | 'lacks'
    | 'kernelParameters'
  >
>;

/** `moves`, there and home again, or the check that refuses it. */
export type Expected = 'moves' | { readonly refusedBy: string };

export interface Pair {
  readonly name: string;
  readonly about: string;
  readonly a: ComputerSpec;
  readonly b: ComputerSpec;
  readonly expected: Expected;
  /** A warning that the way home is accepted with. */
  readonly riskHome?: string;
  /** A device that a program at A has open. */
  readonly holds?: string;
}

const [plainA, plainB] = scenarioNamed('paper').computers as readonly [ComputerSpec, ComputerSpec];

type Row = readonly [
  name: string,
  about: string,
  b: Hardware,
  expected?: Expected,
  more?: Pick<Pair, 'riskHome' | 'holds'>,
];

/** As the check `iommu` asks for. */
const withoutIommu = ['intel_iommu=off', 'intremap=off'];

/** Pairs with one A; where nothing else is said both are as in the scenario "paper". */
function pairsOf(hardwareA: Hardware, rows: readonly Row[]): Pair[] {
  const a = { ...plainA, ...hardwareA };
  return rows.map(([name, about, hardwareB, expected = 'moves', more]) => ({
    ...more,
    name,
    about,
    a,
    b: { ...plainB, ...hardwareB },
    expected,
  }));
}

export const pairs: readonly Pair[] = [
  ...pairsOf({}, [
    ['ram-less', 'B has less memory', { ramMiB: 1024 }, { refusedBy: 'ram-map' }],
    [
      'ram-more-e1000e',
      'B has more memory and another network card',
      { ramMiB: 2048, nic: 'e1000e' },
      { refusedBy: 'network-place' },
    ],
    ['cpu-lacks', 'the CPU of B lacks AVX2', { lacks: ['avx2'] }, { refusedBy: 'cpu-flags' }],
    [
      'pc-to-q35-e1000',
      'other chipset, a card without MSI',
      { machine: 'q35', nic: 'e1000' },
      { refusedBy: 'interrupts' },
    ],
    [
      'bios-to-uefi',
      'B has UEFI, which keeps other parts of the memory',
      { firmware: 'uefi' },
      { refusedBy: 'ram-map' },
    ],
    // First of those that move: at home again the OS has its card where this B has memory (`registers`).
    ['cpus-4-ram-2', 'B has four CPUs and more memory', { cpus: 4, ramMiB: 2048 }],
    ['nic-e1000e', 'virtio-net to e1000e', { nic: 'e1000e' }],
    ['nic-e1000', 'virtio-net to e1000', { nic: 'e1000' }],
    ['nic-rtl8139', 'virtio-net to rtl8139', { nic: 'rtl8139' }],
    ['nic-vmxnet3', 'virtio-net to vmxnet3', { nic: 'vmxnet3' }],
    ['vga-same', 'equal but for the disk', { vga: 'std' }],
    ['vga-cirrus', 'the pair of the paper', {}],
    ['vga-virtio', 'another kind of display', { vga: 'virtio' }],
    ['vga-qxl', 'a display whose driver the OS does without', { vga: 'qxl' }],
    ['vga-none', 'B has no display', { vga: 'none' }],
    ['own-disk-same', 'B has a disk of its own at an equal controller', { disk: 'virtio-blk' }],
    ['cpus-1', 'B has one CPU', { cpus: 1 }],
    ['pc-to-q35', 'other chipset', { machine: 'q35' }],
    [
      'pc-to-q35-e1000e',
      'other chipset and network card, an AHCI disk of its own',
      { machine: 'q35', nic: 'e1000e', disk: 'ahci' },
    ],
  ]),
  ...pairsOf({ kernelParameters: ['memmap=512M$1536M'] }, [
    [
      'ram-more-reserved',
      'B has more memory, whose place the OS keeps free, and another network card',
      { ramMiB: 2048, nic: 'e1000e' },
    ],
  ]),
  // The ACPI tables of B are larger by six pages. The OS gives them up where it can, which is chance: so it has none there.
  ...pairsOf({ kernelParameters: ['mem=1535M'] }, [
    [
      'own-disk-nvme',
      'B has an NVMe disk of its own, and the edge of its memory lies lower',
      { disk: 'nvme' },
    ],
  ]),
  ...pairsOf({ kernelParameters: ['clearcpuid=avx,avx2'] }, [
    ['cpu-masked', 'the CPU of B lacks AVX2, and the OS was started without', { lacks: ['avx2'] }],
  ]),
  ...pairsOf({ lacks: ['avx', 'avx2', 'fma', 'f16c', 'bmi2'] }, [
    ['cpu-more', 'the CPU of B has AVX and BMI2', {}, 'moves', { riskHome: 'cpu-programs' }],
  ]),
  ...pairsOf({ sound: true }, [
    [
      'sound-used',
      'a program has the sound card open, and B has none',
      {},
      { refusedBy: 'devices-held' },
      { holds: '/dev/snd/controlC0' },
    ],
    ['sound', 'A has a sound card that nobody has open, B has none', { vga: 'std' }],
  ]),
  ...pairsOf({ vga: 'qxl' }, [
    ['qxl-used', 'the OS uses a driver that Linux cannot take away', {}, { refusedBy: 'driver-lasts' }],
  ]),
  ...pairsOf({ vga: 'qxl', kernelParameters: ['modprobe.blacklist=qxl'] }, [
    ['qxl-unused', 'A has a card whose driver the OS does without', {}],
  ]),
  ...pairsOf({ address: '10.77.1.1/16' }, [
    ['network-wide', 'a /16, of which no /24 holds both computers', { address: '10.77.2.2/16' }],
  ]),
  ...pairsOf({ nic: 'e1000' }, [
    ['e1000-to-virtio', 'e1000 to virtio-net', {}],
    ['e1000-to-rtl8139', 'e1000 to rtl8139', { nic: 'rtl8139' }],
    ['e1000-to-e1000', 'equal cards', { nic: 'e1000' }],
  ]),
  ...pairsOf({ nic: 'e1000e', cpus: 4 }, [
    ['cpus-4-to-1', 'four CPUs to one', { nic: 'e1000e', cpus: 1 }],
    ['cpus-4-to-2-virtio', 'four CPUs to two, e1000e to virtio-net', { cpus: 2 }],
  ]),
  ...pairsOf({ disk: 'nvme' }, [
    ['nvme', 'A has an NVMe disk', {}],
    ['nvme-both', 'both have an NVMe disk, and B another network card', { disk: 'nvme', nic: 'e1000' }],
  ]),
  ...pairsOf({ disk: 'nvme-subsystem' }, [
    ['nvme-subsystem', 'A has an NVMe disk that several controllers could reach', {}],
  ]),
  ...pairsOf({ disk: 'ahci' }, [['ahci', 'A has an AHCI disk', { nic: 'rtl8139' }]]),
  ...pairsOf({ disk: 'ahci', spareMiB: 64 }, [
    ['ahci-two', 'A has two disks behind one AHCI controller', {}],
  ]),
  ...pairsOf({ disk: 'virtio-scsi' }, [['virtio-scsi', 'A has a virtio-scsi disk', {}]]),
  ...pairsOf({ disk: 'usb' }, [['usb', 'A has a USB disk', {}]]),
  ...pairsOf({ disk: 'ide' }, [
    ['ide', 'A has an IDE disk, B an equal controller without one', {}],
    ['ide-both', 'both have an IDE disk', { disk: 'ide' }],
  ]),
  ...pairsOf({ machine: 'q35', disk: 'ahci', iommu: true, kernelParameters: [...withoutIommu] }, [
    ['iommu', 'both have an IOMMU, which the OS was started without', { machine: 'q35', iommu: true }],
  ]),
  ...pairsOf({ machine: 'q35', disk: 'ahci', iommu: true }, [
    ['iommu-used', 'equal computers with an IOMMU, which the OS uses', { machine: 'q35', iommu: true }],
    ['iommu-used-pc', 'the OS uses an IOMMU, and B is another model', {}, { refusedBy: 'iommu' }],
  ]),
  ...pairsOf({ machine: 'q35', disk: 'ahci', nic: 'e1000e' }, [
    ['q35-to-pc-e1000', 'other chipset, a card without MSI', { nic: 'e1000' }, { refusedBy: 'interrupts' }],
    ['q35-e1000', 'both q35; e1000e to e1000', { machine: 'q35', nic: 'e1000' }],
    ['q35-to-pc', 'other chipset and network card', {}],
  ]),
  // What `ram-map` says of the pairs bios-to-uefi and uefi-to-bios.
  ...pairsOf(
    {
      kernelParameters: [
        'mem=1535M',
        ...['memmap=1024K$8192K', 'memmap=772K$1555092K', 'memmap=3144K$1565620K'],
      ],
    },
    [['bios-to-uefi-fits', 'B has UEFI, and the OS keeps off its memory', { firmware: 'uefi' }]],
  ),
  ...pairsOf({ firmware: 'uefi', kernelParameters: ['efi=noruntime', 'memmap=4K$636K'] }, [
    ['uefi-to-bios-fits', 'A has UEFI, and the OS keeps off the memory of the BIOS', {}],
  ]),
  ...pairsOf({ firmware: 'uefi' }, [
    ['uefi-to-bios-calls', 'A has UEFI, and the OS calls it', {}, { refusedBy: 'firmware-calls' }],
  ]),
  ...pairsOf({ firmware: 'uefi', kernelParameters: ['efi=noruntime'] }, [
    ['uefi-both', 'both have UEFI', { firmware: 'uefi', nic: 'e1000e' }],
    [
      'uefi-to-bios',
      'A has UEFI, which the OS does not call, and which gives all of the first MiB but the screen',
      {},
      { refusedBy: 'ram-map' },
    ],
  ]),
];

/** Those of these names, in the order of the matrix; all when none is named. @throws LabError listing the names there are */
export function pairsNamed(names: readonly string[]): readonly Pair[] {
  const unknown = names.find(name => !pairs.some(each => each.name === name));
  if (unknown !== undefined)
    throw new LabError(`no pair "${unknown}"`, `some of: ${pairs.map(each => each.name).join(', ')}`);
  return names.length === 0 ? pairs : pairs.filter(each => names.includes(each.name));
}

/** What the lab is to start for a pair. */
export const scenarioOf = ({ about, a, b }: Pair): Scenario => ({ about, computers: [a, b] });

/** Neighbours with the same A. */
export function groupsOf(chosen: readonly Pair[]): readonly (readonly Pair[])[] {
  const groups: Pair[][] = [];
  for (const pair of chosen) {
    const last = groups.at(-1);
    if (last && JSON.stringify(last[0]?.a) === JSON.stringify(pair.a)) last.push(pair);
    else groups.push([pair]);
  }
  return groups;
}
