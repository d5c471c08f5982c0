// Frame headers and a reader that cuts a byte stream into frames. Lengths are capped before anything is kept.
import { frameHeaderBytes, frameMagic, wireVersion } from '#wire/frames.ts';
import { Pieces } from '#wire/pieces.ts';
import { WireError } from '#wire/wire-error.ts';

export interface Frame {
  readonly type: number;
  readonly arg: bigint;
  readonly payload: Buffer;
}

/** One whole frame as bytes. */
export function encodeFrame(type: number, arg: bigint, payload: Uint8Array = new Uint8Array()): Buffer {
  const frame = Buffer.alloc(frameHeaderBytes + payload.length);
  frame.writeUInt16LE(frameMagic, 0);
  frame.writeUInt8(wireVersion, 2);
  frame.writeUInt8(type, 3);
  frame.writeUInt32LE(payload.length, 4);
  frame.writeBigUInt64LE(arg, 8);
  frame.set(payload, frameHeaderBytes);
  return frame;
}

/** Collects chunks and yields the frames that are whole. */
export class FrameReader {
  readonly #pieces = new Pieces();
  /** How many bytes there must be for more than what was seen. */
  #wanted = frameHeaderBytes;
  readonly #maxPayloadBytes: number;

  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** @throws WireError on bytes that are no frame; the stream is then useless */
  push(chunk: Uint8Array): Frame[] {
    this.#pieces.add(chunk);
    if (this.#pieces.length < this.#wanted) return [];
    let pending = this.#pieces.take();
    const frames: Frame[] = [];
    this.#wanted = frameHeaderBytes;
    while (pending.length >= frameHeaderBytes) {
      const length = pending.readUInt32LE(4);
      if (pending.readUInt16LE(0) !== frameMagic) throw new WireError('badFrame', 'no frame magic');
      if (pending.readUInt8(2) !== wireVersion) throw new WireError('badFrame', 'another wire version');
      if (pending.readUInt8(3) === 0) throw new WireError('badFrame', 'frame type 0');
      if (length > this.#maxPayloadBytes) throw new WireError('frameTooLarge', `${length} bytes`);
      const end = frameHeaderBytes + length;
      if (pending.length < end) {
        this.#wanted = end;
        break;
      }
      frames.push({
        type: pending.readUInt8(3),
        arg: pending.readBigUInt64LE(8),
        payload: pending.subarray(frameHeaderBytes, end),
      });
      pending = pending.subarray(end);
    }
    this.#pieces.add(pending);
    return frames;
  }
}
