// What a standby or a ghost does with its screen when it is lent to an OS: takes rectangles of the OS's picture and
// shows them on its own card. Who may draw, and in which epoch, is the caller's business; every byte is distrusted here.
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { yadoError } from '#core/errors.ts';
import type { Rect } from '#linux/drm.ts';
import type { ControlAnswer, ControlRequest } from '#wire/control.ts';
import { type DisplayDriver, LocalDisplay } from './driver.ts';
import { wireFormats } from './remote.ts';
import type { Surface } from './translate.ts';

const decompress = promisify(zstdDecompress);
/** Of a picture: more than the largest screens have (7680 × 4320). */
const maxPictureBytes = 160 << 20;

export class DisplayService {
  readonly #driver: DisplayDriver;
  #picture: { readonly surface: Surface; readonly bytes: Buffer } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(driver: DisplayDriver) {
    this.#driver = driver;
  }

  /** @throws Error when this computer has no screen that can be used */
  static ofCard(): DisplayService {
    return new DisplayService(LocalDisplay.open());
  }

  get typeName(): string {
    return this.#driver.typeName;
  }

  screen({
    width,
    height,
    bitsPerPixel,
  }: Pick<ControlRequest<'screen'>, 'width' | 'height' | 'bitsPerPixel'>): Promise<ControlAnswer<'screen'>> {
    return this.#inTurn(async () => {
      const format = wireFormats[bitsPerPixel];
      const surface = { width, height, lineBytes: Math.ceil((width * bitsPerPixel) / 32) * 4, format };
      if (surface.lineBytes * height > maxPictureBytes)
        throw yadoError('badRequest', { reason: `a screen of ${width} × ${height}` });
      this.#picture = undefined;
      const shown = await this.#driver.configure(surface);
      const bytes = Buffer.alloc(surface.lineBytes * height);
      this.#picture = { surface, bytes };
      await this.#driver.draw(bytes, [{ x: 0, y: 0, width, height }]);
      return { typeName: this.typeName, ...shown };
    });
  }

  /** @throws YadoError `badRequest` for what does not fit the screen that was asked for */
  draw({ rects }: Pick<ControlRequest<'draw'>, 'rects'>): Promise<ControlAnswer<'draw'>> {
    return this.#inTurn(async () => {
      const picture = this.#picture;
      if (!picture) throw yadoError('badRequest', { reason: 'nothing was said of the frames to come' });
      for (const rect of rects) await put(picture.bytes, picture.surface, rect);
      if (rects.length > 0) await this.#driver.draw(picture.bytes, rects);
      return {};
    });
  }

  /** Lets go of the card. */
  async stop(): Promise<void> {
    await this.#turn;
    this.#picture = undefined;
    await this.#driver[Symbol.asyncDispose]();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

async function put(
  bytes: Buffer,
  surface: Surface,
  { x, y, width, height, data }: Rect & { readonly data: Uint8Array },
): Promise<void> {
  if (x + width > surface.width || y + height > surface.height)
    throw yadoError('badRequest', { reason: 'a rectangle beyond the edge of the screen' });
  const pixelBytes = surface.format.bitsPerPixel / 8;
  const rowBytes = width * pixelBytes;
  const rows = await decompress(data, { maxOutputLength: rowBytes * height }).catch((error: unknown) => {
    throw yadoError('badRequest', { reason: 'a rectangle that cannot be unpacked' }, error);
  });
  if (rows.length !== rowBytes * height)
    throw yadoError('badRequest', { reason: `${rows.length} bytes in a rectangle of ${rowBytes * height}` });
  for (let row = 0; row < height; row++)
    rows.copy(bytes, (y + row) * surface.lineBytes + x * pixelBytes, row * rowBytes, (row + 1) * rowBytes);
}
