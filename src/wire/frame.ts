// Frame headers and a reader that cuts a byte stream into frames. Lengths are capped before anything is kept.
import { frameHeaderBytes, frameMagic, wireVersion } from '#wire/frames.ts';
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
  #pending: Buffer = Buffer.alloc(0);
  readonly #maxPayloadBytes: number;

  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** @throws WireError on bytes that are no frame; the stream is then useless */
  push(chunk: Uint8Array): Frame[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const frames: Frame[] = [];
    while (this.#pending.length >= frameHeaderBytes) {
      const length = this.#pending.readUInt32LE(4);
      if (this.#pending.readUInt16LE(0) !== frameMagic) throw new WireError('badFrame', 'no frame magic');
      if (this.#pending.readUInt8(2) !== wireVersion) throw new WireError('badFrame', 'another wire version');
      if (this.#pending.readUInt8(3) === 0) throw new WireError('badFrame', 'frame type 0');
      if (length > this.#maxPayloadBytes) throw new WireError('frameTooLarge', `${length} bytes`);
      const end = frameHeaderBytes + length;
      if (this.#pending.length < end) break;
      frames.push({
        type: this.#pending.readUInt8(3),
        arg: this.#pending.readBigUInt64LE(8),
        payload: this.#pending.subarray(frameHeaderBytes, end),
      });
      this.#pending = this.#pending.subarray(end);
    }
    return frames;
  }
}
