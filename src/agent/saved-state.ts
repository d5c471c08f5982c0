// What the agent of an OS must know again when it is started anew while the OS runs on: where it is, its epoch, where its
// devices are. In memory, so it ends with the boot.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { ComputerSchema } from '#core/computer.ts';
import { DeviceLocationTableSchema } from '#core/device-location-table.ts';
import { HistorySchema } from '#core/history.ts';
import { FormatError } from '#linux/system-error.ts';
import { LeftMountSchema } from './left-mounts.ts';
import { LeftSwapSchema } from './left-swaps.ts';
import { log } from './log.ts';

const path = '/run/yado/state.json';

const SavedStateSchema = v.strictObject({
  here: ComputerSchema,
  epoch: v.number(),
  rsdp: v.nullable(v.number()),
  locations: DeviceLocationTableSchema,
  history: HistorySchema,
  /** Computers that were left and have not heard that the OS is alive. */
  unaware: v.optional(v.array(ComputerSchema), []),
  /** By device that another computer lends: the computer that had it before. */
  lentFrom: v.optional(v.record(v.string(), v.string()), {}),
  /** Swap that is switched off while the OS is away from its disk. */
  leftSwaps: v.optional(v.array(LeftSwapSchema), []),
  /** File systems for starting a computer that are unmounted while the OS is away from it. */
  leftMounts: v.optional(v.array(LeftMountSchema), []),
  /** By device: what its class wants to know again. */
  devices: v.record(v.string(), v.unknown()),
});
export type SavedState = v.InferOutput<typeof SavedStateSchema>;

/** Undefined when this boot has saved nothing, or something of another version. */
export function readSavedState(): SavedState | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return parseSavedState(readFileSync(path, 'utf8'));
  } catch (error) {
    log(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** @throws FormatError when it is not what `saveState` writes */
export function parseSavedState(text: string): SavedState {
  const state = v.safeParse(SavedStateSchema, parsed(text), { abortEarly: true });
  if (!state.success) throw new FormatError('saved state', v.summarize(state.issues).slice(0, 200));
  return state.output;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function saveState(state: SavedState): void {
  writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${path}.new`, path); // whole or not at all
}
