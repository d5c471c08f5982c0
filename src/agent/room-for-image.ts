// Room for the image of an OS that uses more than half of its memory: what is swapped out while the OS runs, and the step of
// the plan that swaps out once more when all programs stand still.
import { type ImageRoom, swapOutLabel } from '#core/image-room.ts';
import { readMeminfo } from '#linux/meminfo.ts';
import { reclaimPath } from '#linux/swap-room.ts';
import type { PreparedMove } from '#managers/status-manager.ts';
import { reclaimStep } from '#wire/plan.ts';
import { log } from './log.ts';
import type { CheckedMove, MoveRequest } from './source-move.ts';
import type { SwapFiles } from './swap-files.ts';
import { swapOut } from './swap-out.ts';

/** What programs have taken back goes out once more when they stand still, and the disk is still there. */
export function withRoom(room: ImageRoom, prepared: PreparedMove): PreparedMove {
  if (room.kind !== 'swap') return prepared;
  const step = reclaimStep(swapOutLabel, reclaimPath, room.mostBytes);
  return { ...prepared, plans: { ...prepared.plans, leave: [step, ...prepared.plans.leave] } };
}

/** Of all memory: so much less than the image may hold is in use when the programs are stopped, if they let it. */
const takenBackShare = 0.02;

/** Makes room for the image while the OS runs; nothing to do where it fits. `told`: the first time. */
export async function makeRoomForImage(
  { here, signal }: MoveRequest,
  { room, source }: CheckedMove,
  swaps: Pick<SwapFiles, 'make'>,
  told?: (done: number, total: number) => void,
): Promise<void> {
  if (room.kind !== 'swap') return;
  const began = performance.now();
  if (told && room.fileBytes > 0) await swaps.make(room.fileBytes, here.name);
  const before = readMeminfo();
  const left = await swapOut(
    Math.floor(room.mostBytes - source.memory.totalBytes * takenBackShare),
    signal,
    told,
  );
  const after = readMeminfo();
  const [out, inUse] = [before.swapFree - after.swapFree, left].map(bytes => (bytes / 1e6).toFixed(0));
  log(
    `swapped out ${out} MB in ${((performance.now() - began) / 1000).toFixed(1)} s; ${inUse} MB are in use`,
  );
}
