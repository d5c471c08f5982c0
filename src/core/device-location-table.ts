// The device location table (Fig. 7 of the paper): which computer has a device, and since which epoch (number of the
// handover) that is known. Immutable values; travels with the OS as plain JSON. It never accepts older news.

import * as v from 'valibot';
import { yadoError } from './errors.ts';

const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(256));

export const DeviceLocationRowSchema = v.strictObject({
  device: Name,
  computer: Name,
  /** Epoch of the handover that put the device there; from 0. */
  epoch: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type DeviceLocationRow = Readonly<v.InferOutput<typeof DeviceLocationRowSchema>>;

export const DeviceLocationTableSchema = v.pipe(
  v.array(DeviceLocationRowSchema),
  v.maxLength(1024),
  v.check(rows => new Set(rows.map(row => row.device)).size === rows.length, 'a device is listed twice'),
);
export type DeviceLocationTable = readonly DeviceLocationRow[];

/** The table after the news that `device` is at `computer`. Throws `staleEpoch` when a newer epoch is known. */
export function withLocation(
  table: DeviceLocationTable,
  device: string,
  computer: string,
  epoch: number,
): DeviceLocationTable {
  const at = table.findIndex(row => row.device === device);
  const known = table[at];
  if (!known) return [...table, { device, computer, epoch }];
  if (epoch < known.epoch)
    throw yadoError('staleEpoch', { device, computer: known.computer, theirs: epoch, ours: known.epoch });
  return table.with(at, { device, computer, epoch });
}

/**
 * The table after the OS arrived at `computer` in `epoch`: the devices in `here` are now there, all others stay where
 * they were and are confirmed for the new epoch. Throws `staleEpoch` unless the epoch is newer than every row.
 */
export function afterArrival(
  table: DeviceLocationTable,
  computer: string,
  epoch: number,
  here: readonly string[],
): DeviceLocationTable {
  for (const row of table) {
    if (epoch <= row.epoch)
      throw yadoError('staleEpoch', {
        device: row.device,
        computer: row.computer,
        theirs: epoch,
        ours: row.epoch,
      });
  }
  const known = new Set(table.map(row => row.device));
  return [
    ...table.map(row => ({ ...row, computer: here.includes(row.device) ? computer : row.computer, epoch })),
    ...here.filter(device => !known.has(device)).map(device => ({ device, computer, epoch })),
  ];
}

/** The computer that has the device. Throws `unknownDevice`. */
export function locate(table: DeviceLocationTable, device: string): DeviceLocationRow {
  const row = table.find(each => each.device === device);
  if (!row) throw yadoError('unknownDevice', { device, computer: 'this OS' });
  return row;
}

/** From JSON of unknown origin. Throws `badRequest` naming the first thing that does not fit. */
export function parseDeviceLocationTable(json: unknown): DeviceLocationTable {
  const result = v.safeParse(DeviceLocationTableSchema, json);
  if (result.success) return result.output;
  throw yadoError('badRequest', { reason: `device location table: ${v.summarize(result.issues)}` });
}

export const deviceLocationHeader = ['DEVICE', 'COMPUTER', 'EPOCH'] as const;

/** Rows as Fig. 7 shows them. */
export function deviceLocationCells(table: DeviceLocationTable): string[][] {
  return table.map(row => [row.device, row.computer, String(row.epoch)]);
}
