// A plan: prepared system calls as bytes for the frozen helper, each with a label that names it in an error.
// Pure; the order of the operations is the order of the calls.
import { planFlagMayFail, planOps } from '#wire/frames.ts';

/** One operation. `label` completes "could not …". */
export interface PlanStep {
  readonly label: string;
  readonly bytes: Uint8Array;
}
export type Plan = readonly PlanStep[];

interface StepOptions {
  /** The plan goes on when this step fails. */
  readonly mayFail?: boolean;
}

/** Writes `data` to an existing file (sysfs, /proc/sys). */
export function writeFileStep(label: string, path: string, data: string, options?: StepOptions): PlanStep {
  return step(label, 'writeFile', Buffer.from(`${path}\0${data}`), options);
}

/** ioctl on a device file that is opened for it; the kernel sees a copy of `buffer`. */
export function ioctlStep(
  label: string,
  path: string,
  request: number,
  buffer: Uint8Array,
  options?: StepOptions,
): PlanStep {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(request));
  return step(label, 'ioctl', Buffer.concat([head, Buffer.from(`${path}\0`), buffer]), options);
}

/** One rtnetlink message; the helper waits for the kernel's acknowledgement. */
export function netlinkStep(label: string, message: Uint8Array, options?: StepOptions): PlanStep {
  return step(label, 'netlink', Buffer.concat([Buffer.alloc(4), message]), options);
}

export function waitPathStep(
  label: string,
  path: string,
  timeoutMs: number,
  options?: StepOptions,
): PlanStep {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(timeoutMs);
  return step(label, 'waitPath', Buffer.concat([head, Buffer.from(`${path}\0`)]), options);
}

/** Waits until a file, such as one of sysfs, begins with `text`. */
export function waitTextStep(
  label: string,
  path: string,
  text: string,
  timeoutMs: number,
  options?: StepOptions,
): PlanStep {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(timeoutMs);
  return step(label, 'waitText', Buffer.concat([head, Buffer.from(`${path}\0${text}`)]), options);
}

/** Stands for the index of a card that is found only when the plan runs; no interface ever has it. */
export const foundCard = 0x7fff_fffe;

/** Waits for the network interface of a PCI function; later steps call it `foundCard`. */
export function findCardStep(
  label: string,
  pciAddress: string,
  timeoutMs: number,
  options?: StepOptions,
): PlanStep {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(timeoutMs);
  return step(label, 'findCard', Buffer.concat([head, Buffer.from(`/${pciAddress}/\0`)]), options);
}

/** As `netlinkStep`, for a message about `foundCard`. @throws Error when it is not about it, or in several places */
export function netlinkCardStep(label: string, message: Uint8Array, options?: StepOptions): PlanStep {
  const wanted = Buffer.alloc(4);
  wanted.writeUInt32LE(foundCard);
  const bytes = Buffer.from(message);
  const offset = bytes.indexOf(wanted);
  if (offset < 0 || bytes.indexOf(wanted, offset + 1) >= 0)
    throw new Error(`"${label}" must name the found card exactly once`);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(offset);
  return step(label, 'netlinkCard', Buffer.concat([head, bytes]), options);
}

/** Sends one Ethernet frame (at least 14, at most 1514 bytes) out of an interface. */
export function sendPacketStep(
  label: string,
  interfaceIndex: number,
  frame: Uint8Array,
  options?: StepOptions,
): PlanStep {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(interfaceIndex === foundCard ? 0 : interfaceIndex);
  return step(label, 'sendPacket', Buffer.concat([head, frame]), options);
}

/**
 * Has the kernel reclaim memory until at most `mostBytes` are in use, caches counted, by asking for it at `path` (a
 * memory.reclaim of cgroup v2). Fails with ENOMEM when it gives no more.
 */
export function reclaimStep(label: string, path: string, mostBytes: number, options?: StepOptions): PlanStep {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(mostBytes));
  return step(label, 'reclaim', Buffer.concat([head, Buffer.from(`${path}\0`)]), options);
}

/** The bytes the helper runs. */
export function encodePlan(plan: Plan): Buffer {
  return Buffer.concat(plan.map(each => each.bytes));
}

function step(label: string, op: keyof typeof planOps, payload: Uint8Array, options?: StepOptions): PlanStep {
  const head = Buffer.alloc(8);
  head.writeUInt16LE(planOps[op].number, 0);
  head.writeUInt16LE(options?.mayFail ? planFlagMayFail : 0, 2);
  head.writeUInt32LE(payload.length, 4);
  return { label, bytes: Buffer.concat([head, payload]) };
}
