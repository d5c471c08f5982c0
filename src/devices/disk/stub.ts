// The disk as the OS sees it: a device-mapper device under its root file system. What lies beneath can be exchanged
// while the OS runs: suspend, load another table, resume. Requests made meanwhile wait in the stub.
import { type BlockDevice, type BlockPlace, blockDeviceAt, deviceRightBelow } from '#linux/block.ts';
import { encodeSuspend, linearTarget } from '#linux/device-mapper.ts';
import { DM_CONTROL_PATH, DmControl } from '#linux/dm-control.ts';
import { ioctlStep, type PlanStep } from '#wire/plan.ts';

export const rootStub = 'yado-root';

/**
 * The stub and the disk or partition beneath it; undefined when the root file system does not lie on a stub, or the stub on
 * something else, as a volume of LVM: of that only a part would be served.
 */
export function findStub(name = rootStub): { stub: BlockDevice; below: BlockDevice } | undefined {
  try {
    const stub = blockDeviceAt(`/dev/mapper/${name}`);
    const below = deviceRightBelow(stub.name);
    return below && { stub, below };
  } catch {
    return undefined;
  }
}

/** Nothing passes the stub after this step: what programs write waits in memory and moves with the OS. */
export function suspendStep(name = rootStub): PlanStep {
  const { request, buffer } = encodeSuspend(name, { noFlush: true, skipLockFs: true });
  return ioctlStep('hold back the writes of the root disk', DM_CONTROL_PATH, request, buffer);
}

/** Puts `device` (major, minor) beneath the stub and lets the waiting requests through. */
export function putBeneath(
  device: { major: number; minor: number },
  sizeBytes: number,
  name = rootStub,
): void {
  using dm = new DmControl();
  dm.loadTable(name, [linearTarget(`${device.major}:${device.minor}`, sizeBytes / 512)]);
  dm.resume(name);
}

/** Lets the waiting requests through to what lies beneath already; does nothing while none are held back. */
export function letThrough(name = rootStub): void {
  using dm = new DmControl();
  dm.resume(name);
}

export type { BlockPlace };
