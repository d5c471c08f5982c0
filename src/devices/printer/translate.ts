// What differs between kinds of printers: the status byte, as every kind of Linux printer port gives it (linux/lp.h) and
// programs ask for it, made of what an IPP printer says; and the IEEE 1284 device id.
import type { IppPrinter } from './ipp.ts';

/** Bits of LPGETSTATUS. `noError` is active low: set means all is well. */
export const statusBits = { noError: 0x08, selected: 0x10, paperOut: 0x20 } as const;

/** What a printer shows whose computer does not answer: switched off. */
export const awayStatus = 0;
export const readyStatus = statusBits.noError | statusBits.selected;

/** Of a port's status only what a printer says; the handshake lines are the port's own business. */
export const printerStatus = (portStatus: number): number =>
  portStatus & (statusBits.noError | statusBits.selected | statusBits.paperOut);

export function statusWords(status: number): string {
  if (status & statusBits.paperOut) return 'out of paper';
  if (!(status & statusBits.selected)) return 'off line';
  return status & statusBits.noError ? 'ready' : 'error';
}

/** usblp keeps no more of one (USBLP_DEVICE_ID_SIZE of drivers/usb/class/usblp.c), its length included. */
const deviceIdBytes = 1024;

/** Answer to GET_DEVICE_ID: a two-byte length that counts itself, then the text (IEEE 1284). */
export function encodeDeviceId(text: string): Buffer {
  const id = Buffer.from(text, 'latin1').subarray(0, deviceIdBytes - 2);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(id.length + 2);
  return Buffer.concat([length, id]);
}

/** Reasons of an IPP printer (RFC 8011, 5.4.12) that a port shows as paper out; all with or without "-error" and the like. */
const paperReasons = /^(media-empty|media-needed)(-|$)/;
/** Reasons that a port shows as switched off. */
const awayReasons = /^(offline|shutdown|timed-out|connecting-to-device|deactivated)(-|$)/;
const stopped = 5;

/** The status byte a port would give whose printer is in this state. A report or a warning is no error yet. */
export function statusOfIpp({ state, reasons, accepts }: IppPrinter): number {
  const real = reasons.filter(each => !/-(report|warning)$/.test(each));
  if (real.some(each => awayReasons.test(each)) || !accepts) return awayStatus;
  if (real.some(each => paperReasons.test(each))) return statusBits.paperOut | statusBits.selected;
  return state === stopped || real.some(each => each.endsWith('-error')) ? statusBits.selected : readyStatus;
}

/** A printer that tells no device id gets one of its make and model. */
export function deviceIdOfIpp({ deviceId, model }: IppPrinter): string {
  if (deviceId) return deviceId;
  const [make = 'Unknown', ...rest] = model.replace(/[;:]/g, ' ').trim().split(/\s+/);
  return `MFG:${make || 'Unknown'};MDL:${rest.join(' ') || 'IPP printer'};CLS:PRINTER;`;
}
