// What a computer reports of itself before a move: the one shape that preflight compares. Pure types and schema; the
// figures are gathered by src/linux and come, on the other side, from a computer that need not be believed.

import * as v from 'valibot';
import type { Cipher } from './ciphers.ts';

export const Short = v.pipe(v.string(), v.maxLength(256));
const Name = v.pipe(Short, v.minLength(1));
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const PciAddress = v.pipe(v.string(), v.regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/));
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
});
export type PciFunction = Readonly<v.InferOutput<typeof PciFunctionSchema>>;

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
    /** CPUs the hardware has, also those not started (a standby starts one only). */
    count: v.pipe(Count, v.minValue(1)),
    /** True when five-level paging is switched on. */
    la57: v.boolean(),
  }),
  memory: v.strictObject({
    totalBytes: Count,
    freeBytes: Count,
    /** What an image would hold once caches were dropped. */
    usedBytes: Count,
    ramRanges: v.pipe(v.array(RamRangeSchema), v.minLength(1), v.maxLength(4096)),
  }),
  e820Checksum: Count,
  physicalPageCount: Count,
  /** Physical address of the ACPI tables' root; null when unknown. A kernel that has moved here cannot find it out. */
  rsdp: v.nullable(Count),
  pci: v.pipe(v.array(PciFunctionSchema), v.maxLength(4096)),
  /** The network card of the computer itself, which carries the move; null when it has none that works. */
  nic: v.nullable(
    v.strictObject({
      name: Name,
      mac: v.pipe(v.string(), v.regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)),
      pciAddress: v.nullable(PciAddress),
      /** Machine address, with prefix length. */
      address: Short,
    }),
  ),
  /** Whether /dev/snapshot works, and if not, why. */
  snapshot: v.strictObject({ available: v.boolean(), reason: v.optional(Short) }),
  /** Bytes a second that the kernel encrypts and deciphers on a TCP connection; ciphers that it does not have are not there. */
  cipherRates: v.strictObject({
    aes128gcm: v.exactOptional(Rate),
    chacha20poly1305: v.exactOptional(Rate),
  } satisfies Record<Cipher, unknown>),
  /** Ids of the device classes that the agent of this computer can serve. */
  devices: v.pipe(v.array(Short), v.maxLength(64)),
});
export type Capabilities = Readonly<v.InferOutput<typeof CapabilitiesSchema>>;
