// struct input_event, as evdev gives it and uinput takes it. Pure bytes; the kernel sets the time itself.
import { INPUT_OFFSET, INPUT_SIZE } from '#linux/abi-input.ts';
import type { InputEvent } from '#wire/input-events.ts';

const size = INPUT_SIZE['struct input_event'];
const offset = INPUT_OFFSET['struct input_event'];

/** Whole events only: the kernel never gives parts of one. */
export function decodeKernelEvents(bytes: Buffer): InputEvent[] {
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => ({
    type: bytes.readUInt16LE(index * size + offset.type),
    code: bytes.readUInt16LE(index * size + offset.code),
    value: bytes.readInt32LE(index * size + offset.value),
  }));
}

export function encodeKernelEvents(events: readonly InputEvent[]): Buffer {
  const bytes = Buffer.alloc(events.length * size);
  for (const [index, { type, code, value }] of events.entries()) {
    bytes.writeUInt16LE(type, index * size + offset.type);
    bytes.writeUInt16LE(code, index * size + offset.code);
    bytes.writeInt32LE(value, index * size + offset.value);
  }
  return bytes;
}
