// The items of a printer in the device status table: what it says, and where the bytes of the jobs are.
import * as v from 'valibot';
import type { StatusItem } from '#core/device-status-table.ts';
import type { Spool } from './spool.ts';
import { statusWords } from './translate.ts';

export function printerItems(status: number, spool: Spool, path: string): StatusItem[] {
  return [
    { item: 'status', state: statusWords(status) },
    { item: 'programs use', state: path },
    { item: 'bytes accepted', state: String(spool.end) },
    { item: 'bytes printed', state: String(spool.firstByte) },
  ];
}

/** A printer at another computer shows nothing here: where it is must be known from before. */
export const PrinterMemorySchema = v.strictObject({
  typeName: v.string(),
  port: v.string(),
  deviceId: v.string(),
});
export type PrinterMemory = v.InferOutput<typeof PrinterMemorySchema>;
