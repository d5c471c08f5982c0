// The command line of one emulated computer: QEMU used as hardware and nothing else.
// Pure but for hasHardwareAcceleration. Nothing here is known to the product inside.

import { readFileSync } from 'node:fs';
import type { ComputerSpec, Disk } from './computer-spec.ts';

/** Host files one computer uses. */
export interface QemuFiles {
  readonly kernel: string;
  readonly initrd: string;
  /** Raw disk image, written to. */
  readonly disk?: string | undefined;
  /** Raw image of the second disk. */
  readonly spare?: string | undefined;
  /** Where the state of another QEMU comes in (`tcp:ADDRESS:PORT`); until then the computer stands still. */
  readonly incoming?: string | undefined;
  readonly serialLog: string;
  readonly consoleSocket: string;
  readonly monitorSocket: string;
  readonly printerFile: string;
}

const vgaDevices = {
  std: 'VGA',
  cirrus: 'cirrus-vga',
  vmware: 'vmware-svga',
  virtio: 'virtio-vga',
  qxl: 'qxl-vga',
  none: undefined,
} as const;

/** A disk of its own controller, but for those that are part of the chipset: the IDE of a pc, the AHCI of a q35. */
const diskDevices: Readonly<Record<Disk, (machine: ComputerSpec['machine']) => readonly string[]>> = {
  'virtio-blk': () => ['virtio-blk-pci,drive=disk,addr=6'],
  'virtio-scsi': () => ['virtio-scsi-pci,id=scsi,addr=6', 'scsi-hd,drive=disk,bus=scsi.0'],
  nvme: () => ['nvme,drive=disk,serial=yado,addr=6'],
  // As many NVMe disks of servers are: several controllers could reach it.
  'nvme-subsystem': () => [
    'nvme-subsys,id=subsystem,nqn=yado',
    'nvme,id=nvme,serial=yado,subsys=subsystem,addr=6',
    'nvme-ns,drive=disk,bus=nvme',
  ],
  usb: () => ['qemu-xhci,id=usb,addr=6', 'usb-storage,drive=disk,bus=usb.0'],
  ide: () => ['ide-hd,drive=disk,bus=ide.0'],
  ahci: machine =>
    machine === 'q35'
      ? ['ide-hd,drive=disk,bus=ide.0']
      : ['ahci,id=ahci,addr=6', 'ide-hd,drive=disk,bus=ahci.0'],
};

/** The second disk: behind the same controller where that has room for one more, as in most PCs. */
const spareDevices: Partial<Record<Disk, (machine: ComputerSpec['machine']) => string>> = {
  'virtio-scsi': () => 'scsi-hd,drive=spare,bus=scsi.0',
  ide: () => 'ide-hd,drive=spare,bus=ide.1',
  ahci: machine => `ide-hd,drive=spare,bus=${machine === 'q35' ? 'ide' : 'ahci'}.1`,
};

/** KVM only where the processor says so: a /dev/kvm that opens may still not run a stock kernel. */
export function hasHardwareAcceleration(cpuinfo = readFileSync('/proc/cpuinfo', 'utf8')): boolean {
  return /^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo);
}

/** A value inside a QEMU option list: commas are doubled. */
function quoted(path: string): string {
  return path.replaceAll(',', ',,');
}

/** Of the Debian package ovmf. */
export const uefiFile = '/usr/share/ovmf/OVMF.fd';

/**
 * One thread for all CPUs of a computer, unless asked otherwise: with more, QEMU 7.2 dies when one CPU moves a PCI resource (as a rescan
 * does) while another writes to a device. The frozen phase is a matter of one CPU anyway.
 *
 * Where a page is overwritten QEMU looks for each piece of code it has translated of it in the list of all of them. An OS that uses its
 * pages anew all the time is held up by that, so long that its kernel complains of it ("soft lockup"), unless few are kept:
 * docs/performance.md.
 */
function emulation({ threads, translatedMiB }: ComputerSpec): string {
  const few = translatedMiB === undefined ? '' : `,tb-size=${translatedMiB}`;
  return `tcg,thread=${threads ? 'multi' : 'single'}${few}`;
}

/** The arguments for one computer whose network card is the tap device `tap`. */
export function qemuArguments(
  spec: ComputerSpec,
  files: QemuFiles,
  commandLine: string,
  tap: string,
  accelerated: boolean,
): string[] {
  const vga = vgaDevices[spec.vga];
  const args = [
    'qemu-system-x86_64',
    '-name',
    spec.name,
    '-machine',
    spec.machine,
    '-nodefaults',
    '-no-user-config',
    '-accel',
    accelerated ? 'kvm' : emulation(spec),
    '-cpu',
    // Emulation claims fast string moves (erms) but does them byte by byte: the kernel had better not use them.
    ['max', ...(accelerated ? [] : ['-erms']), ...(spec.lacks ?? []).map(name => `-${name}`)].join(','),
    '-smp',
    String(spec.cpus),
    '-m',
    String(spec.ramMiB),
    '-rtc',
    'base=utc',
    '-display',
    'none',
    '-kernel',
    files.kernel,
    '-initrd',
    files.initrd,
    '-append',
    commandLine,
    '-chardev',
    `file,id=log,path=${quoted(files.serialLog)},append=on`,
    '-serial',
    'chardev:log',
    '-chardev',
    `socket,id=tty,path=${quoted(files.consoleSocket)},server=on,wait=off`,
    '-serial',
    'chardev:tty',
    '-qmp',
    `unix:${quoted(files.monitorSocket)},server=on,wait=off`,
    '-netdev',
    `tap,id=net,ifname=${tap},script=no,downscript=no,vhost=off`,
    '-device',
    `${spec.nic},netdev=net,mac=${spec.mac},addr=5,romfile=`,
  ];
  if (spec.firmware === 'uefi') args.push('-bios', uefiFile);
  if (spec.iommu === true) args.push('-device', 'intel-iommu,intremap=on');
  if (vga !== undefined) args.push('-device', `${vga},addr=2`);
  if (spec.disk !== undefined && files.disk !== undefined) {
    // The host's page cache outlives QEMU, so a killed computer keeps what it had flushed.
    const isShared = spec.sharedDisk !== undefined;
    const options = `format=raw,if=none,id=disk,cache=unsafe,discard=unmap${isShared ? ',file.locking=off' : ''}`;
    args.push('-drive', `file=${quoted(files.disk)},${options}`);
    const serial = isShared ? `,serial=shared-${spec.sharedDisk}` : '';
    const devices = diskDevices[spec.disk](spec.machine);
    args.push(
      ...devices.flatMap((each, at) => ['-device', at === devices.length - 1 ? each + serial : each]),
    );
  }
  if (files.spare !== undefined) {
    const options = 'format=raw,if=none,id=spare,cache=unsafe,discard=unmap';
    args.push('-drive', `file=${quoted(files.spare)},${options}`);
    const beside = spec.disk && spareDevices[spec.disk];
    const device = beside?.(spec.machine) ?? 'virtio-blk-pci,drive=spare,addr=7';
    args.push('-device', `${device},serial=spare-${spec.name}`);
  }
  if (spec.sound)
    args.push(
      ...['-audiodev', 'none,id=sound'],
      ...['-device', 'intel-hda,addr=8', '-device', 'hda-output,audiodev=sound'],
    );
  if (files.incoming !== undefined) args.push('-incoming', files.incoming);
  if (spec.printer === 'parallel') {
    args.push(
      '-chardev',
      `file,id=lp,path=${quoted(files.printerFile)},append=on`,
      '-parallel',
      'chardev:lp',
    );
  }
  return args;
}
