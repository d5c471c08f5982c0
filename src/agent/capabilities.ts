// Gathers what this computer reports of itself before a move. Reads only.
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { type Capabilities, type ComputerRole, movingAgentImage } from '#core/capabilities.ts';
import type { CipherRates } from '#core/ciphers.ts';
import { readCpuinfo, readHardwareCpuCount } from '#linux/cpuinfo.ts';
import { readMeminfo } from '#linux/meminfo.ts';
import {
  e820Checksum,
  readFirmwareMap,
  readIomem,
  readPresentPages,
  systemRamPages,
} from '#linux/memory-map.ts';
import { listPciDevices, type PciDevice } from '#linux/pci.ts';
import { probeSnapshot } from '#linux/power.ts';
import { protocolVersion } from '#wire/control.ts';

/** The card of the computer: by name in a standby, the bridge's port in the OS. `address` has a prefix length. */
export interface CardOfComputer {
  readonly name: string;
  readonly mac: string;
  readonly address: string;
}

export function gatherCapabilities(
  name: string,
  role: ComputerRole,
  imageHash: string,
  cipherRates: CipherRates,
  card: CardOfComputer | undefined,
  rsdp: number | undefined,
): Capabilities {
  const cpu = readCpuinfo();
  const memory = readMeminfo();
  const pci = listPciDevices();
  const snapshot = probeSnapshot();
  const reason = snapshotReason(snapshot);
  const nicAddress = card && pci.find(each => each.netNames.includes(card.name))?.address;
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
      count: Math.max(cpu.count, readHardwareCpuCount()),
      la57: cpu.flags.includes('la57') && !readFileSync('/proc/cmdline', 'utf8').includes('no5lvl'),
    },
    memory: {
      totalBytes: memory.total,
      freeBytes: memory.free,
      usedBytes: memory.total - memory.available,
      ramRanges: systemRamPages(readIomem()).map(({ startPfn, endPfn }) => ({ startPfn, endPfn })),
    },
    e820Checksum: e820Checksum(readFirmwareMap()),
    physicalPageCount: readPresentPages(),
    rsdp: rsdp ?? null,
    pci: pci.map(describeFunction),
    nic: card
      ? { name: card.name, mac: card.mac, pciAddress: nicAddress ?? null, address: card.address }
      : null,
    snapshot: { available: reason === undefined, ...(reason !== undefined && { reason }) },
    cipherRates,
    devices: [...new Set(['input', ...(pci.some(each => each.class >>> 16 === 0x03) ? ['display'] : [])])],
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
  };
}

function snapshotReason({
  exists,
  lockdown,
  disabledBy,
  pmTest,
}: ReturnType<typeof probeSnapshot>): string | undefined {
  if (!exists) return 'the kernel has no hibernation';
  if (lockdown !== 'none') return `the kernel is locked down (${lockdown})`;
  if (disabledBy !== undefined) return `the kernel was started with ${disabledBy}`;
  return pmTest === 'none' ? undefined : `/sys/power/pm_test is ${pmTest}`;
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

/** As `hashImage`, worked out once: it takes its time, and nothing that cannot wait should be started beside it. */
export const agentImageHash = doneOnce(hashImage);

/** SHA-256 of the agent image in set-aside memory up to the end of its file system, or `movingAgentImage`. */
async function hashImage(): Promise<string> {
  if (readFileSync('/run/yado/memory', 'utf8').trim() !== 'pmem') return movingAgentImage;
  const superblock = Buffer.alloc(128);
  const { openSync, readSync, closeSync } = await import('node:fs');
  const fd = openSync('/dev/pmem0', 'r');
  readSync(fd, superblock, 0, superblock.length, 1024);
  closeSync(fd);
  // struct erofs_super_block: blkszbits u8 at 12, blocks u32 at 36 (fs/erofs/erofs_fs.h)
  const bytes = superblock.readUInt32LE(36) * 2 ** superblock.readUInt8(12);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream('/dev/pmem0', { end: bytes - 1, highWaterMark: 1 << 20 }))
    hash.update(chunk as Buffer);
  return hash.digest('hex');
}
