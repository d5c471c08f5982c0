// What a standby or a ghost does with its screen when it is lent to an OS: takes rectangles of the OS's picture and
// shows them on its own card. Who may draw, and in which epoch, is the caller's business; every byte is distrusted here.
import { yadoError } from '#core/errors.ts';
import type { Rect } from '#linux/drm.ts';
import { waitUntil } from '#managers/wait.ts';
import type { ControlAnswer, ControlRequest } from '#wire/control.ts';
import { type Lendable, type LentService, probing, type ServiceOf } from '../service.ts';
import { type DisplayDriver, LocalDisplay } from './driver.ts';
import { wireFormats } from './remote.ts';
import type { Surface } from './translate.ts';
import { unpack } from './zstd.ts';

/** A picture of an OS, on this computer that may have little memory: 4096x4096 with 32 bits. */
const maxPictureBytes = 64 << 20;

const lend: Lendable = {
  messages: ['screen', 'draw'],
  open: async () => {
    let why = '';
    const open = (): DisplayService | undefined => {
      try {
        return DisplayService.ofCard();
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
        return undefined;
      }
    };
    const service = await waitUntil('a screen', open, probing).catch(() => {
      throw new Error(why);
    });
    return { typeName: service.typeName, service };
  },
};

export class DisplayService implements LentService {
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

  /** @throws YadoError `screenTooLarge`, or Error what the card says of a picture of this size */
  screen({
    device,
    width,
    height,
    bitsPerPixel,
  }: Omit<ControlRequest<'screen'>, 'epoch'>): Promise<ControlAnswer<'screen'>> {
    return this.#inTurn(async () => {
      const format = wireFormats[bitsPerPixel];
      const surface = { width, height, lineBytes: Math.ceil((width * bitsPerPixel) / 32) * 4, format };
      this.#picture = undefined;
      const size = surface.lineBytes * height;
      if (size > maxPictureBytes)
        throw yadoError('screenTooLarge', {
          device,
          mode: `${width}x${height}`,
          needed: Math.ceil(size / 2 ** 20),
          limit: maxPictureBytes / 2 ** 20,
        });
      const shown = await this.#driver.configure(surface);
      const bytes = Buffer.alloc(size);
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
  const rows = await unpack(data, { maxOutputLength: rowBytes * height }).catch((error: unknown) => {
    throw yadoError('badRequest', { reason: 'a rectangle that cannot be unpacked' }, error);
  });
  if (rows.length !== rowBytes * height)
    throw yadoError('badRequest', { reason: `${rows.length} bytes in a rectangle of ${rowBytes * height}` });
  for (let row = 0; row < height; row++)
    rows.copy(bytes, (y + row) * surface.lineBytes + x * pixelBytes, row * rowBytes, (row + 1) * rowBytes);
}

export const service = { lend } satisfies ServiceOf<'display'>;
