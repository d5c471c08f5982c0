// The status byte of a printer, as every kind of Linux printer port gives it (linux/lp.h): what programs ask for.

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

/** Answer to GET_DEVICE_ID: a two-byte length that counts itself, then the text (IEEE 1284). */
export function encodeDeviceId(text: string): Buffer {
  const id = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(id.length + 2);
  return Buffer.concat([length, id]);
}
