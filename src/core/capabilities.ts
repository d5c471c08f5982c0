// What a computer reports of itself before a move: the one shape that preflight compares. Pure types and schema; the
// figures are gathered by src/linux and come, on the other side, from a computer that need not be believed.

import * as v from 'valibot';
import type { Cipher } from './ciphers.ts';
import { OsStateSchema } from './os-state.ts';
import { Count, PciAddress, Short } from './shapes.ts';

const Name = v.pipe(Short, v.minLength(1));
const Rate = v.pipe(Count, v.minValue(1));
const Id16 = v.pipe(Count, v.maxValue(0xffff));

export const roles = ['active', 'standby', 'ghost'] as const;
export const RoleSchema = v.picklist(roles);
export type ComputerRole = v.InferOutput<typeof RoleSchema>;

export const RamRangeSchema = v.pipe(
  v.strictObject({ startPfn: Count, endPfn: Count }),
  v.check(range => range.startPfn < range.endPfn, 'an empty range'),
);
/** Page frames of RAM, whole pages of 4096 bytes; `endPfn` is the first frame after it. */
export type RamRange = Readonly<v.InferOutput<typeof RamRangeSchema>>;

export const PciFunctionSchema = v.strictObject({
  address: PciAddress,
  vendor: Id16,
  device: Id16,
  /** 24-bit class code, as in sysfs `class`. */
  class: v.pipe(Count, v.maxValue(0xffffff)),
  subsystem: v.strictObject({ vendor: Id16, device: Id16 }),
  driver: v.optional(Short),
  modalias: Short,
  /** How many disks are behind it; absent when none, or none that the kernel has a driver for. */
  disks: v.optional(Count),
  /** Its interrupts come as messages (MSI), not over a wire of the board. Known only while it has a driver. */
  sendsMessages: v.optional(v.boolean()),
});
export type PciFunction = Readonly<v.InferOutput<typeof PciFunctionSchema>>;

/**
 * Where hardware answers, page frames as in `RamRange`, rounded outwards: `name` is a PCI address for registers of a card,
 * "PCI Bus 0000:00" for a window from which cards get them, else what /proc/iomem calls it.
 */
const DeviceRangeSchema = v.pipe(
  v.strictObject({ name: Short, startPfn: Count, endPfn: Count }),
  v.check(range => range.startPfn < range.endPfn, 'an empty range'),
);
export type DeviceRange = Readonly<v.InferOutput<typeof DeviceRangeSchema>>;

/** Why /dev/snapshot may not be used. */
export const snapshotCauses = [
  'noHibernation',
  'lockdown',
  'parameter',
  'secretMemory',
  'pmTest',
  'unknown',
] as const;
export type SnapshotCause = (typeof snapshotCauses)[number];

export const firmwareKinds = ['BIOS', 'UEFI'] as const;

/** Longest lists: what is longer is not reported in full, and refused when it comes. */
export const capabilityLimits = { cpus: 4096, deviceRanges: 2048, mtrrs: 64, clockSources: 16 } as const;

/** Stands for the hash of an agent image that lies in memory that moves: it arrives with the OS. */
export const movingAgentImage = 'in memory that moves';

export const CapabilitiesSchema = v.strictObject({
  protocol: Count,
  name: Name,
  role: RoleSchema,
  /** Hex SHA-256 of the agent image in memory. */
  agentImageHash: Short,
  kernelRelease: Short,
  cpu: v.strictObject({
    vendor: Short,
    model: Short,
    flags: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(1024)),
    /** What programs find by themselves; null where the CPU cannot be asked. */
    instructions: v.nullable(v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(1024))),
    /** CPUs the hardware has, also those not started (a standby starts one only). */
    count: v.pipe(Count, v.minValue(1)),
    /** CPUs at work. */
    online: v.pipe(Count, v.minValue(1)),
    /** Those at work have these APIC ids. */
    onlineApicIds: v.pipe(v.array(Count), v.maxLength(capabilityLimits.cpus)),
    /** And all that the firmware names have these; none when it names none. */
    apicIds: v.pipe(v.array(Count), v.maxLength(capabilityLimits.cpus)),
    /** True when five-level paging is switched on. */
    la57: v.boolean(),
    /** Registers for errors of the hardware that the first CPU has; 0 where the kernel does not look at them (`mce=off`). */
    machineCheckBanks: Count,
    /** True where the kernel speaks with the interrupt controllers in their newer mode (x2APIC); null when its log has lost it. */
    x2apic: v.nullable(v.boolean()),
  }),
  memory: v.strictObject({
    totalBytes: Count,
    freeBytes: Count,
    /** What an image would hold once caches were dropped. */
    usedBytes: Count,
    ramRanges: v.pipe(v.array(RamRangeSchema), v.minLength(1), v.maxLength(4096)),
    deviceRanges: v.pipe(v.array(DeviceRangeSchema), v.maxLength(capabilityLimits.deviceRanges)),
    /** True when the hardware encrypts memory (SME, SEV). */
    encrypted: v.boolean(),
  }),
  e820Checksum: Count,
  physicalPageCount: Count,
  /** Physical address of the ACPI tables' root; null when unknown. A kernel that has moved here cannot find it out. */
  rsdp: v.nullable(Count),
  clock: v.strictObject({
    /** What the kernel counts time by ("tsc"), and what it could. */
    source: Short,
    sources: v.pipe(v.array(Short), v.maxLength(capabilityLimits.clockSources)),
    /** Rate of the time stamp counter as this kernel measured it at its start, kHz; null when its log has lost it. */
    tscKhz: v.nullable(Count),
    /** Port of the timer of ACPI (`acpi_pm`), as this kernel knows it; null when it has none. */
    pmTimerPort: v.nullable(Count),
    /** Seconds since 1970: of the system, and of the battery-backed clock if there is one. */
    systemSeconds: Count,
    rtcSeconds: v.nullable(Count),
  }),
  /** What this kernel was started by; one that has moved was started elsewhere. */
  firmware: v.strictObject({
    kind: v.picklist(firmwareKinds),
    /** The kernel calls it while it runs (UEFI runtime services). */
    isCalled: v.boolean(),
    /** Maker and model of the computer; empty when it does not say. */
    model: Short,
    version: Short,
    /** Lines of /proc/mtrr. */
    mtrrs: v.pipe(v.array(Short), v.maxLength(capabilityLimits.mtrrs)),
    /** It has told this kernel where in memory it leaves reports of errors (the table HEST), and the kernel reads them. */
    hasErrorReports: v.boolean(),
    /** An IOMMU stands between devices and memory. */
    hasIommu: v.boolean(),
  }),
  panicsOnWarning: v.boolean(),
  pci: v.pipe(v.array(PciFunctionSchema), v.maxLength(4096)),
  /** The network card of the computer itself, which carries the move; null when it has none that works. */
  nic: v.nullable(
    v.strictObject({
      name: Name,
      mac: v.pipe(v.string(), v.regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)),
      pciAddress: v.nullable(PciAddress),
      /** Machine address, with prefix length. */
      address: Short,
      /** The standby that comes with the agent has a driver for it too, whatever kernel runs now. */
      standbyDrives: v.boolean(),
    }),
  ),
  /** Why /dev/snapshot does not work; null when it does. */
  snapshotRefusal: v.nullable(v.strictObject({ cause: v.picklist(snapshotCauses), reason: Short })),
  /** Bytes a second that the kernel encrypts and deciphers on a TCP connection; ciphers that it does not have are not there. */
  cipherRates: v.strictObject({
    aes128gcm: v.exactOptional(Rate),
    chacha20poly1305: v.exactOptional(Rate),
  } satisfies Record<Cipher, unknown>),
  /** Ids of the device classes that the agent of this computer can serve. */
  devices: v.pipe(v.array(Short), v.maxLength(64)),
  /** For the OS's own agent only: null in what other computers are told, and where no OS runs. */
  os: v.nullable(OsStateSchema),
});
export type Capabilities = Readonly<v.InferOutput<typeof CapabilitiesSchema>>;
