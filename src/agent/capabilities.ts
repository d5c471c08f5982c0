// Gathers what this computer reports of itself before a move. Reads only.
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readFileSync, readSync } from 'node:fs';
import { release } from 'node:os';
import {
  type Capabilities,
  type ComputerRole,
  capabilityLimits,
  movingAgentImage,
} from '#core/capabilities.ts';
import type { CipherRates } from '#core/ciphers.ts';
import { instructionsOf } from '#core/cpu-instructions.ts';
import { classOfPci, deviceClasses, deviceClassNames } from '#core/device-class.ts';
import type { OsState } from '#core/os-state.ts';
import { withCpuid } from '#linux/cpuid.ts';
import { readCpuinfo, readHardwareApicIds } from '#linux/cpuinfo.ts';
import { readKernelLog } from '#linux/kernel-log.ts';
import { measureCiphers } from '#linux/ktls-probe.ts';
import {
  isMemoryEncrypted,
  panicsOnWarning,
  readClocks,
  readFirmware,
  readMachineCheckBanks,
  tscKhzIn,
  usesX2apic,
} from '#linux/machine-state.ts';
import { readMeminfo } from '#linux/meminfo.ts';
import {
  e820Checksum,
  readDeviceRanges,
  readFirmwareMap,
  readIomem,
  readPresentPages,
  systemRamPages,
} from '#linux/memory-map.ts';
import { listPciDevices, type PciDevice } from '#linux/pci.ts';
import { probeSnapshot } from '#linux/power.ts';
import { undrivenByStandby } from '#linux/standby-drivers.ts';
import { protocolVersion } from '#wire/control.ts';

/** The card of the computer: by name in a standby, the bridge's port in the OS. `address` has a prefix length. */
export interface CardOfComputer {
  readonly name: string;
  readonly mac: string;
  readonly address: string;
}

/** `os`: what only the OS's own agent is to see; null for what another computer is told. */
export function gatherCapabilities(
  name: string,
  role: ComputerRole,
  imageHash: string,
  cipherRates: CipherRates,
  card: CardOfComputer | undefined,
  rsdp: number | undefined,
  os: OsState | null = null,
): Capabilities {
  const cpu = readCpuinfo();
  const memory = readMeminfo();
  const pci = listPciDevices();
  const ofPci = new Set(pci.map(each => classOfPci(each.class)));
  const nicAddress = card && pci.find(each => each.netNames.includes(card.name))?.address;
  const { cpus, clockSources, deviceRanges, mtrrs } = capabilityLimits;
  const apicIds = readHardwareApicIds().slice(0, cpus);
  const clocks = readClocks();
  const firmware = readFirmware();
  const said = kernelSaid();
  return {
    protocol: protocolVersion,
    name,
    role,
    agentImageHash: imageHash,
    kernelRelease: release(),
    cpu: {
      vendor: cpu.vendor,
      model: cpu.modelName,
      flags: [...cpu.flags],
      instructions: withCpuid(cpuid => instructionsOf(cpuid, cpu.flags)) ?? null,
      count: Math.max(cpu.count, apicIds.length),
      online: cpu.count,
      onlineApicIds: cpu.apicIds.slice(0, cpus),
      apicIds,
      la57: cpu.flags.includes('la57') && !readFileSync('/proc/cmdline', 'utf8').includes('no5lvl'),
      x2apic: said.x2apic ?? null,
      machineCheckBanks: readMachineCheckBanks(),
    },
    memory: {
      totalBytes: memory.total,
      freeBytes: memory.free,
      usedBytes: memory.total - memory.available,
      ramRanges: systemRamPages(readIomem()).map(({ startPfn, endPfn }) => ({ startPfn, endPfn })),
      deviceRanges: readDeviceRanges().slice(0, deviceRanges),
      encrypted: said.isMemoryEncrypted,
    },
    e820Checksum: e820Checksum(readFirmwareMap()),
    physicalPageCount: readPresentPages(),
    rsdp: rsdp ?? null,
    clock: {
      source: short(clocks.source),
      sources: clocks.sources.slice(0, clockSources).map(short),
      tscKhz: said.tscKhz ?? null,
      pmTimerPort: clocks.pmTimerPort,
      systemSeconds: Math.max(0, Math.round(Date.now() / 1000)),
      rtcSeconds: clocks.rtcSeconds,
    },
    firmware: {
      ...firmware,
      model: short(firmware.model),
      version: short(firmware.version),
      mtrrs: firmware.mtrrs.slice(0, mtrrs).map(short),
    },
    panicsOnWarning: panicsOnWarning(),
    pci: pci.map(describeFunction),
    nic: card
      ? {
          name: card.name,
          mac: card.mac,
          pciAddress: nicAddress ?? null,
          address: card.address,
          standbyDrives: undrivenByStandby(`sys/class/net/${card.name}`).length === 0,
        }
      : null,
    snapshotRefusal: snapshotRefusal(),
    cipherRates,
    devices: deviceClassNames.filter(
      name => deviceClasses[name].everywhere || (deviceClasses[name].replaceable && ofPci.has(name)),
    ),
    os,
  };
}

function describeFunction(each: PciDevice): Capabilities['pci'][number] {
  return {
    address: each.address,
    vendor: each.vendor,
    device: each.device,
    class: each.class,
    subsystem: { vendor: each.subsystemVendor, device: each.subsystemDevice },
    modalias: each.modalias,
    ...(each.driver !== undefined && { driver: each.driver }),
    ...(each.blockNames.length > 0 && { disks: each.blockNames.length }),
    ...(each.sendsMessages && { sendsMessages: true }),
  };
}

/** A text as long as it may be. */
export const short = (text: string): string => text.slice(0, 256);

function snapshotRefusal(): Capabilities['snapshotRefusal'] {
  const refusal = probeSnapshot();
  return refusal ? { ...refusal, reason: short(refusal.reason) } : null;
}

/** More than a kernel says until its agent starts. */
const mostLogLines = 20_000;

let said:
  | {
      readonly tscKhz: number | undefined;
      readonly isMemoryEncrypted: boolean;
      readonly x2apic: boolean | undefined;
    }
  | undefined;

/**
 * What this kernel said at its start. Read once, the sooner the better: its log forgets. A kernel that moves stays the one
 * it is.
 */
export function kernelSaid(): NonNullable<typeof said> {
  if (said) return said;
  const log = readKernelLog('/dev/kmsg', mostLogLines);
  said = { tscKhz: tscKhzIn(log), isMemoryEncrypted: isMemoryEncrypted(log), x2apic: usesX2apic(log) };
  return said;
}

/** `work` done once for all who ask, at once or later; what failed is not kept, and the next one to ask tries again. */
export function doneOnce<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => {
    done ??= work();
    const mine = done;
    mine.catch(() => {
      if (done === mine) done = undefined;
    });
    return mine;
  };
}

/** How fast the kernel of one computer encrypts, once it is asked for. */
export const measuredOnce = (): (() => Promise<CipherRates>) =>
  doneOnce(() => measureCiphers(() => performance.now()));

/** As `hashImage`, worked out once: it takes its time, and nothing that cannot wait should be started beside it. */
export const agentImageHash = doneOnce(hashImage);

/** A link to the device of the set-aside memory (packaging/files/enter). */
const setAside = '/run/yado/set-aside';

/** SHA-256 of the agent image in set-aside memory up to the end of its file system, or `movingAgentImage`. */
async function hashImage(): Promise<string> {
  if (readFileSync('/run/yado/memory', 'utf8').trim() !== 'pmem') return movingAgentImage;
  const superblock = Buffer.alloc(128);
  const fd = openSync(setAside, 'r');
  readSync(fd, superblock, 0, superblock.length, 1024);
  closeSync(fd);
  // struct erofs_super_block: blkszbits u8 at 12, blocks u32 at 36 (fs/erofs/erofs_fs.h)
  const bytes = superblock.readUInt32LE(36) * 2 ** superblock.readUInt8(12);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(setAside, { end: bytes - 1, highWaterMark: 1 << 20 }))
    hash.update(chunk as Buffer);
  return hash.digest('hex');
}
