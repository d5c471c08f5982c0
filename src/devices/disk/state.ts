// The items of a disk in the device status table: size, what lies beneath the stub, whether requests wait.
import * as v from 'valibot';
import type { StatusItem } from '#core/device-status-table.ts';
import { BlockPlaceSchema, DestinySchema } from '#core/disk-wish.ts';
import { DmControl } from '#linux/dm-control.ts';
import { StartsSchema } from './shared-mark.ts';
import { rootStub } from './stub.ts';

export function diskItems(sizeBytes: number, name = rootStub): StatusItem[] {
  using dm = new DmControl();
  const table = dm.table(name).at(-1); // before it the sectors of the mark
  return [
    { item: 'size', state: `${(sizeBytes / 2 ** 30).toFixed(1)} GiB` },
    { item: 'table', state: table ? `${table.type} ${table.parameters}` : 'none' },
    { item: 'requests', state: dm.device(name).suspended ? 'waiting' : 'flowing' },
  ];
}

/** A disk that stayed behind shows only its connection: where it really is must be known from before. */
export const DiskMemorySchema = v.strictObject({
  place: BlockPlaceSchema,
  typeName: v.string(),
  /** As the disk at `place` is called wherever it is found; none that says nothing of itself. */
  diskName: v.exactOptional(v.string()),
  /** Of a LUKS container: the byte at which it is marked. Elsewhere it is marked, and hidden from the OS, at its beginning. */
  markStart: v.exactOptional(v.number()),
  /** What it really is, where it has followed the OS. */
  actualType: v.exactOptional(v.string()),
  /** By computer: where it was before, and still is in an older state. */
  former: v.exactOptional(v.record(v.string(), BlockPlaceSchema)),
  /** Computers that had it, and have not heard that they need not keep it any more. */
  owed: v.exactOptional(v.array(v.string())),
  /** It is reached from several computers: which one starts from it, and what its mark says while the OS is at another one. */
  shared: v.exactOptional(v.strictObject({ starts: StartsSchema, mark: v.string() })),
  /** What is to become of it here. */
  destiny: v.exactOptional(DestinySchema),
});
export type DiskMemory = v.InferOutput<typeof DiskMemorySchema>;
