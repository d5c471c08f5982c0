// Armed fault points, for tests: points of src/core/faults.ts from the environment or a file in memory, read when a move
// begins and when a ghost starts.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ArmedFault, type FaultName, faultArmed, parseFault, parseFaults } from '#core/faults.ts';
import { log } from './log.ts';

/** As they are written, for the job of a helper. @throws RangeError for one that is not in the table */
export function armedFaults(path = '/run/yado/faults'): string[] {
  let text = process.env.YADO_FAULTS ?? '';
  try {
    text = readFileSync(path, 'utf8').trim() || text;
  } catch {
    // No such file is the normal case.
  }
  const faults = text.split(',').filter(Boolean);
  faults.forEach(parseFault);
  return faults;
}

/** The points of a program that runs in TypeScript. */
export class FaultPoints {
  readonly #armed: ArmedFault[];

  constructor(armed: readonly string[]) {
    this.#armed = parseFaults(armed.join(','));
  }

  /** At a step: dies, is late, or fails, each once. `lost`: never answers. @throws Error when the step is to fail */
  async at(point: FaultName): Promise<void> {
    if (this.#take(point, 'crash') !== undefined) process.kill(process.pid, 'SIGKILL');
    const late = this.#take(point, 'delay');
    if (late !== undefined) await sleep(late);
    if (this.#take(point, 'error') !== undefined) throw new Error(`fault ${point}:error`);
    if (this.#take(point, 'lost') !== undefined) await new Promise<never>(() => {});
  }

  #take(point: FaultName, kind: 'crash' | 'delay' | 'error' | 'lost'): number | undefined {
    const n = faultArmed(this.#armed, point, kind);
    if (n === undefined) return undefined;
    log(`fault ${point}:${kind}`);
    const index = this.#armed.findIndex(each => each.point === point && each.kind === kind);
    if (kind === 'lost' && n > 1) this.#armed[index] = { point, kind, n: n - 1 };
    else this.#armed.splice(index, 1);
    return n;
  }
}
