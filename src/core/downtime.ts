// Downtime in parts, in milliseconds, as measured by the frozen helpers on both sides. Pure.

import * as v from 'valibot';

/** The parts in their order, with what each one covers. */
export const downtimeParts = {
  freeze: 'user space stopped, devices put aside',
  image: 'image made on the source',
  send: 'image on the wire',
  write: 'image written on the target, after its last byte came',
  restore: 'the kernel of the source put in the place of that of the target',
  arrive: 'devices found, OS claimed and granted, programs thawed',
  disk: 'disk attached again',
} as const;
export type DowntimePart = keyof typeof downtimeParts;
export const downtimePartNames = Object.keys(downtimeParts) as DowntimePart[];

const Ms = v.pipe(v.number(), v.finite(), v.minValue(0));

export const DowntimeSchema = v.object({
  freeze: Ms,
  image: Ms,
  send: Ms,
  write: Ms,
  restore: Ms,
  arrive: Ms,
  disk: Ms,
  total: Ms,
});
/** Milliseconds; `total` is the sum of the parts. */
export type Downtime = Readonly<v.InferOutput<typeof DowntimeSchema>>;

/** The downtime of these parts; a part that is not given took no time. */
export function downtimeOf(parts: Readonly<Partial<Record<DowntimePart, number>>>): Downtime {
  const all = { freeze: 0, image: 0, send: 0, write: 0, restore: 0, arrive: 0, disk: 0, ...parts };
  return { ...all, total: downtimePartNames.reduce((sum, part) => sum + all[part], 0) };
}
