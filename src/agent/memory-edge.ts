// Gives up the few page frames that the target has no memory for, before anything is stopped: who cannot is refused here and
// not by the target, when the OS stands still already.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Capabilities, RamRange } from '#core/capabilities.ts';
import { yadoError } from '#core/errors.ts';
import { fittingParameters, memoryEdge } from '#core/memory-edge.ts';
import { countFrames } from '#core/ram-ranges.ts';
import { canGiveUpFrames, giveUpFrame, isGivenUp } from '#linux/page-frames.ts';
import { dropCaches } from '#linux/power.ts';
import { log } from './log.ts';

const tries = 20;
const againMs = 100;

/**
 * The frames that the image may name and the target does without. None where the kernel gives no frames up: then the target
 * refuses when the OS uses one.
 * @throws YadoError edgeInUse
 */
export async function giveUpEdge(
  source: Capabilities,
  target: Capabilities,
  signal: AbortSignal,
): Promise<readonly RamRange[]> {
  const edge = memoryEdge(source, target) ?? [];
  if (edge.length === 0 || !canGiveUpFrames()) return [];
  for (const { startPfn, endPfn } of edge)
    for (let pfn = startPfn; pfn < endPfn; pfn++) {
      const reason = await giveUp(pfn, signal);
      if (reason === undefined) continue;
      throw yadoError('edgeInUse', {
        frame: `0x${pfn.toString(16)}`,
        computer: target.name,
        source: source.name,
        reason,
        parameters: fittingParameters(source, target) ?? 'a smaller mem=',
      });
    }
  log(
    `given up until the OS is started anew, as ${target.name} has no memory there: ${countFrames(edge)} page frames`,
  );
  return edge;
}

/** Why it could not be given up. Caches are dropped once: they may be what is in the way. */
async function giveUp(pfn: number, signal: AbortSignal): Promise<string | undefined> {
  for (let left = tries; ; left--) {
    if (await isGivenUp(pfn)) return undefined;
    try {
      await giveUpFrame(pfn);
    } catch (error) {
      if (left === tries) dropCaches();
      if (left === 0) return (error as NodeJS.ErrnoException).code ?? String(error);
      await sleep(againMs, undefined, { signal });
    }
  }
}
