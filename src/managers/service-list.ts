// What of this computer can serve an OS elsewhere, one line a class: what it lends, and what an OS may leave behind. The
// devices an OS has are in device-list.ts: a standby, and a ghost, which is in a hurry, load only this one.
import type { DeviceClass, LendableClass } from '#core/device-class.ts';
import { leftDisk } from '#devices/disk/left.ts';
import { lendDisplay } from '#devices/display/serve.ts';
import { lendInput } from '#devices/input/serve.ts';
import { leftPrinter } from '#devices/printer/left.ts';
import { lendPrinter } from '#devices/printer/serve.ts';
import type { LeftClass, Lendable } from '#devices/service.ts';

export type LendableList = Readonly<Record<LendableClass, { readonly lend: Lendable }>>;
export type LeftList = { readonly [C in DeviceClass]?: { readonly left?: LeftClass } };

export const serviceList: LendableList & LeftList = {
  disk: { left: leftDisk },
  printer: { lend: lendPrinter, left: leftPrinter },
  display: { lend: lendDisplay },
  input: { lend: lendInput },
};

/** Of every class of which something may be left behind. */
export const leftClasses: readonly LeftClass[] = Object.values<{ readonly left?: LeftClass }>(
  serviceList,
).flatMap(each => each.left ?? []);
