// The device status table (Fig. 6 of the paper): for every device the type the OS believes in, the type really used,
// the way of access (Fig. 8) and its recorded state. Immutable values; it travels with the OS as plain JSON.

import * as v from 'valibot';
import { deviceClassNames } from './device-class.ts';
import { yadoError } from './errors.ts';

/** direct: same type, straight through; converted: other type; remote: on another computer; lost: nowhere. */
export const deviceWays = ['direct', 'converted', 'remote', 'lost'] as const;
export const DeviceWaySchema = v.picklist(deviceWays);
export type DeviceWay = v.InferOutput<typeof DeviceWaySchema>;

const Text = v.pipe(v.string(), v.maxLength(256));

export const StatusItemSchema = v.strictObject({ item: Text, state: v.pipe(v.string(), v.maxLength(4096)) });
export const DeviceStatusRowSchema = v.strictObject({
  /** Stable name of the device within the OS, such as `display0`. */
  device: v.pipe(Text, v.minLength(1)),
  class: v.picklist(deviceClassNames),
  /** What the OS believes it has. */
  osType: Text,
  /** What it has. */
  actualType: Text,
  way: DeviceWaySchema,
  items: v.pipe(v.array(StatusItemSchema), v.maxLength(256)),
});
export type StatusItem = Readonly<v.InferOutput<typeof StatusItemSchema>>;
export type DeviceStatusRow = Readonly<v.InferOutput<typeof DeviceStatusRowSchema>>;

export const DeviceStatusTableSchema = v.pipe(
  v.array(DeviceStatusRowSchema),
  v.maxLength(1024),
  v.check(rows => new Set(rows.map(row => row.device)).size === rows.length, 'a device is listed twice'),
);
export type DeviceStatusTable = readonly DeviceStatusRow[];

/** The table with `row` added, or put in the place of the row of the same device. */
export function withDevice(table: DeviceStatusTable, row: DeviceStatusRow): DeviceStatusTable {
  const at = table.findIndex(each => each.device === row.device);
  return at < 0 ? [...table, row] : table.with(at, row);
}

export function withoutDevice(table: DeviceStatusTable, device: string): DeviceStatusTable {
  return table.filter(row => row.device !== device);
}

/** The table with one item of a device recorded. Throws `unknownDevice` when the device is not in the table. */
export function withItem(
  table: DeviceStatusTable,
  device: string,
  item: string,
  state: string,
): DeviceStatusTable {
  return withChange(table, device, row => {
    const at = row.items.findIndex(each => each.item === item);
    const items = at < 0 ? [...row.items, { item, state }] : row.items.with(at, { item, state });
    return { ...row, items };
  });
}

/** What lies beneath a device has changed: another actual type, another way. Its items stay as recorded. */
export function withActual(
  table: DeviceStatusTable,
  device: string,
  actualType: string,
  way: DeviceWay,
): DeviceStatusTable {
  return withChange(table, device, row => ({ ...row, actualType, way }));
}

/** The recorded state of one item, or undefined. */
export function itemState(table: DeviceStatusTable, device: string, item: string): string | undefined {
  return table.find(row => row.device === device)?.items.find(each => each.item === item)?.state;
}

/** From JSON of unknown origin. Throws `badRequest` naming the first thing that does not fit. */
export function parseDeviceStatusTable(json: unknown): DeviceStatusTable {
  const result = v.safeParse(DeviceStatusTableSchema, json);
  if (result.success) return result.output;
  throw yadoError('badRequest', { reason: `device status table: ${v.summarize(result.issues)}` });
}

export const deviceStatusHeader = ['DEVICE', 'OS TYPE', 'ACTUAL TYPE', 'WAY', 'ITEM', 'STATE'] as const;

/** Types of devices are long names: they go on in the next line. */
const typeWidth = 26;

/** Rows as Fig. 6 shows them: one line an item, the device named on its first line only. */
export function deviceStatusCells(table: DeviceStatusTable): string[][] {
  return table.flatMap(row => {
    const [osType, actualType] = [wrapped(row.osType), wrapped(row.actualType)];
    const count = Math.max(1, row.items.length, osType.length, actualType.length);
    return Array.from({ length: count }, (_, index) => [
      index === 0 ? row.device : '',
      osType[index] ?? '',
      actualType[index] ?? '',
      index === 0 ? row.way : '',
      row.items[index]?.item ?? '',
      row.items[index]?.state ?? '',
    ]);
  });
}

/** Lines of whole words. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= typeWidth)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function withChange(
  table: DeviceStatusTable,
  device: string,
  change: (row: DeviceStatusRow) => DeviceStatusRow,
): DeviceStatusTable {
  const at = table.findIndex(row => row.device === device);
  const row = table[at];
  if (!row) throw yadoError('unknownDevice', { device, computer: 'this OS' });
  return table.with(at, change(row));
}
