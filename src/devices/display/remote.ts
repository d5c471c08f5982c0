// The screen of another computer as a driver: changed rectangles go there compressed, in the stub's own format; that
// computer converts them for its card. One request at a time: a slow link gets fewer frames.
import type { Rect } from '#linux/drm.ts';
import type { AskOptions } from '#managers/control-session.ts';
import { type ControlAnswer, type ControlRequest, maxDrawBytes, maxRectangles } from '#wire/control.ts';
import type { DisplayDriver } from './driver.ts';
import type { Shown } from './state.ts';
import { bgr565, type Surface, sameFormat, xbgr8888 } from './translate.ts';
import { pack } from './zstd.ts';

/** A control session, or what stands for one in tests. */
export interface ScreenSession extends Disposable {
  ask<T extends 'screen' | 'draw'>(
    type: T,
    request: ControlRequest<T>,
    options: AskOptions,
  ): Promise<ControlAnswer<T>>;
}

/** Of a rectangle before it is compressed: what no compression can make too large for a message. */
const pieceBytes = maxDrawBytes / 2;
const timeoutMs = 10_000;

/** The layout of pixels on the wire, by their bits: that of vfb. */
export const wireFormats = { 16: bgr565, 32: xbgr8888 } as const;

type WireRect = ControlRequest<'draw'>['rects'][number];

export class RemoteDisplay implements DisplayDriver {
  #typeName: string;
  readonly #session: ScreenSession;
  readonly #device: string;
  readonly #epoch: number;
  readonly #signal: AbortSignal;
  #picture: Surface | undefined;

  /**
   * @param computer its name, for the tables until the computer has said more
   * @param signal ends a request under way
   */
  constructor(session: ScreenSession, computer: string, device: string, epoch: number, signal: AbortSignal) {
    this.#signal = signal;
    this.#session = session;
    this.#typeName = `screen of ${computer}`;
    this.#device = device;
    this.#epoch = epoch;
  }

  get typeName(): string {
    return this.#typeName;
  }

  async configure(picture: Surface): Promise<Shown> {
    const { width, height, format } = picture;
    const bitsPerPixel = format.bitsPerPixel === 16 ? 16 : 32;
    if (!sameFormat(format, wireFormats[bitsPerPixel]))
      throw new Error('pixels of this layout cannot be sent to another computer');
    const request = { device: this.#device, epoch: this.#epoch, width, height, bitsPerPixel } as const;
    const { typeName, mode, conversion } = await this.#session.ask('screen', request, {
      timeoutMs,
      signal: this.#signal,
    });
    this.#typeName = typeName;
    this.#picture = picture;
    return { mode, conversion };
  }

  async draw(bytes: Buffer, rects: readonly Rect[]): Promise<void> {
    const picture = this.#picture;
    if (!picture) throw new Error('the screen was not configured');
    let message: WireRect[] = [];
    let size = 0;
    for (const rect of rects.flatMap(each => piecesOf(each, picture))) {
      const data = await pack(cutOut(bytes, rect, picture));
      if (message.length > 0 && (size + data.length > maxDrawBytes || message.length === maxRectangles)) {
        await this.#send(message);
        message = [];
        size = 0;
      }
      message.push({ ...rect, data: new Uint8Array(data) });
      size += data.length;
    }
    if (message.length > 0) await this.#send(message);
  }

  /** An empty frame: the answer shows that the computer is there, and keeps what it lends from being given up. */
  async check(): Promise<void> {
    await this.#send([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session[Symbol.dispose]();
  }

  async #send(rects: WireRect[]): Promise<void> {
    const options = { timeoutMs, signal: this.#signal };
    await this.#session.ask('draw', { device: this.#device, epoch: this.#epoch, rects }, options);
  }
}

/** A rectangle in stripes that fit into a message each. */
export function piecesOf(rect: Rect, { format }: Surface): Rect[] {
  const rows = Math.max(1, Math.floor(pieceBytes / ((rect.width * format.bitsPerPixel) / 8)));
  return Array.from({ length: Math.ceil(rect.height / rows) }, (_, index) => ({
    ...rect,
    y: rect.y + index * rows,
    height: Math.min(rows, rect.height - index * rows),
  }));
}

/** The rectangle's rows without gaps. */
function cutOut(bytes: Buffer, { x, y, width, height }: Rect, { lineBytes, format }: Surface): Buffer {
  const pixelBytes = format.bitsPerPixel / 8;
  const rowBytes = width * pixelBytes;
  const rows = Buffer.allocUnsafe(rowBytes * height);
  for (let row = 0; row < height; row++) {
    const from = (y + row) * lineBytes + x * pixelBytes;
    bytes.copy(rows, row * rowBytes, from, from + rowBytes);
  }
  return rows;
}
