// What an emulated computer is made of: plain data, a few lines a computer.
// Cards stand at fixed PCI slots (display 2, network 5, disk 6) so that equal cards are equally placed.
import { standbyKernelWords, withoutIommuWords } from '#core/standby-kernel.ts';

/** What a computer boots into: the OS from its disk, or the standby image that waits for an OS. */
export type Role = 'os' | 'standby';

/** How a disk is connected, and what the OS calls the only one. `ide` needs the chipset of a `pc`. */
const diskNames = {
  'virtio-blk': '/dev/vda',
  'virtio-scsi': '/dev/sda',
  ahci: '/dev/sda',
  ide: '/dev/sda',
  usb: '/dev/sda',
  nvme: '/dev/nvme0n1',
  'nvme-subsystem': '/dev/nvme0n1',
} as const;
export type Disk = keyof typeof diskNames;

/** One computer's hardware and its place in the lab's network. */
export interface ComputerSpec {
  /** Lower-case letters and digits; also the name the product knows it by. */
  readonly name: string;
  /** What it boots into unless told otherwise. */
  readonly role: Role;
  readonly ramMiB: number;
  readonly cpus: number;
  readonly machine: 'pc' | 'q35';
  /** Without it a BIOS. */
  readonly firmware?: 'uefi';
  readonly nic: 'virtio-net-pci' | 'e1000' | 'e1000e' | 'rtl8139' | 'vmxnet3';
  readonly mac: string;
  /** Machine address with prefix length: the computer's own, not the OS's. */
  readonly address: string;
  readonly vga: 'std' | 'cirrus' | 'vmware' | 'virtio' | 'qxl' | 'none';
  readonly disk?: Disk;
  /** It is the disk of the computer of that name, which others reach too. */
  readonly sharedDisk?: string;
  /** What its processor lacks of all that QEMU can emulate: "avx2". */
  readonly lacks?: readonly string[];
  /** Further kernel parameters, whatever it boots. */
  readonly kernelParameters?: readonly string[];
  readonly printer?: 'parallel' | undefined;
  /** An IOMMU of Intel, which also remaps interrupts: as on most real computers. */
  readonly iommu?: boolean;
  /** A sound card, which plays to nobody. */
  readonly sound?: boolean;
  /** A second, empty disk (/dev/vdb) of this size. */
  readonly spareMiB?: number;
  /** True: a host thread for each CPU. Only where no PCI device is ever moved: see qemu.ts. */
  readonly threads?: boolean;
  /** How much translated code QEMU keeps; else 1 GiB, which holds an OS up that is short of memory: see qemu.ts. */
  readonly translatedMiB?: number;
  /** False: no memory is set aside, so that the agent lies in memory that moves. */
  readonly setAside?: boolean;
  /** False: nobody has paired it with the OS yet. */
  readonly paired?: boolean;
}

/** The set-aside memory, at the same place on every computer: kernel parameter `memmap=`. */
export const setAside = '192M!256M';

const common = [
  'console=ttyS0',
  'ignore_loglevel',
  'panic=10',
  'no_console_suspend',
  'acpi=copy_dsdt',
  'sysrq_always_enabled',
  'yado.timescale=4',
  'yado.console=ttyS1', // read by the standby image, also when a ghost starts it
];

const memory = (aside: boolean): string[] => (aside ? [`memmap=${setAside}`] : []);

type OsSpec = Pick<ComputerSpec, 'setAside' | 'kernelParameters'>;

/** The kernel's command line of a computer that boots the OS. `root` as in OsImage. */
export function osCommandLine(spec: OsSpec, root: string, extra: readonly string[] = []): string {
  const own = spec.kernelParameters ?? [];
  return [...common, ...memory(spec.setAside !== false), `root=${root}`, 'rw', ...own, ...extra].join(' ');
}

/** The kernel's command line of a computer that boots the standby image. */
export function standbyCommandLine(spec: ComputerSpec, extra: readonly string[] = []): string {
  const own = [
    `yado.name=${spec.name}`,
    `yado.address=${spec.address}`,
    `yado.nic=${spec.mac}`,
    ...standbyKernelWords,
    ...withoutIommuWords,
  ];
  const further = [...(spec.kernelParameters ?? []), ...extra];
  return [...common, ...memory(spec.setAside !== false), ...own, ...further].join(' ');
}
