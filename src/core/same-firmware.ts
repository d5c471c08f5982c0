// Whether the OS finds at a computer the firmware that it was started by: a kernel goes on with the tables, addresses and ports of that
// one. Pure.

import type { Capabilities } from './capabilities.ts';

/** Both are of one model, with one version of its firmware. */
export const isSameModel = ({ firmware: a }: Capabilities, { firmware: b }: Capabilities): boolean =>
  a.kind === b.kind && a.model === b.model && a.version === b.version;

/** The OS comes to another kind of computer than the one it was started on. */
export const isForeign = (a: Capabilities, b: Capabilities): boolean =>
  a.os?.home !== b.name && !isSameModel(a, b);

/**
 * And the firmware lies where the OS knows it: other memory, cards or settings move it also in computers of one model. At home it does:
 * it is the very one.
 */
export const isSameFirmware = (a: Capabilities, b: Capabilities): boolean =>
  isSameModel(a, b) && (a.os?.home === b.name || a.e820Checksum === b.e820Checksum);
