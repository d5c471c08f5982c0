// What is known of a printer: the items in the device status table, where it is to be found, and what an agent that is
// started anew must be told.
import * as v from 'valibot';
import type { StatusItem } from '#core/device-status-table.ts';
import type { Spool } from './spool.ts';
import { statusWords } from './translate.ts';

const Text = v.pipe(v.string(), v.maxLength(256));

/** A printer of a computer, short enough for a kernel command line. */
export const PrinterPlaceSchema = v.variant('kind', [
  v.strictObject({ kind: v.picklist(['parallel', 'usb']), name: Text, identity: Text }),
  /** `jobs`: names of the jobs begin so; no two OSes have the same. */
  v.strictObject({ kind: v.literal('ipp'), uri: Text, jobs: Text }),
]);
export type PrinterPlace = v.InferOutput<typeof PrinterPlaceSchema>;

/** A printer at another computer shows nothing here: where it is must be known from before. */
export const PrinterMemorySchema = v.strictObject({
  typeName: v.string(),
  place: PrinterPlaceSchema,
  deviceId: v.string(),
  /** What an IPP printer calls itself; '' as long as it was not asked. */
  actualName: v.string(),
});
export type PrinterMemory = v.InferOutput<typeof PrinterMemorySchema>;

export function printerItems(status: number, spool: Spool, path: string): StatusItem[] {
  return [
    { item: 'status', state: statusWords(status) },
    { item: 'programs use', state: path },
    { item: 'bytes accepted', state: String(spool.end) },
    { item: 'bytes printed', state: String(spool.firstByte) },
  ];
}
