// Input events on the wire: records of type u16, code u16, value s32, little endian (linux/input.h without the time).
// Pure. What they mean, and whether they make sense, is looked at by whoever uses them.
import { inputEventBytes, maxInputEvents } from './control.ts';
import { WireError } from './wire-error.ts';

export interface InputEvent {
  readonly type: number;
  readonly code: number;
  readonly value: number;
}

export function encodeInputEvents(events: readonly InputEvent[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(events.length * inputEventBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, { type, code, value }] of events.entries()) {
    const at = index * inputEventBytes;
    view.setUint16(at, type, true);
    view.setUint16(at + 2, code, true);
    view.setInt32(at + 4, value, true);
  }
  return bytes;
}

/** @throws WireError `badMessage` when the length is not that of whole records, or too large */
export function decodeInputEvents(bytes: Uint8Array): InputEvent[] {
  if (bytes.length % inputEventBytes !== 0 || bytes.length > maxInputEvents * inputEventBytes)
    throw new WireError('badMessage', `${bytes.length} bytes of input events`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / inputEventBytes }, (_, index) => ({
    type: view.getUint16(index * inputEventBytes, true),
    code: view.getUint16(index * inputEventBytes + 2, true),
    value: view.getInt32(index * inputEventBytes + 4, true),
  }));
}
