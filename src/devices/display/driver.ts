// The managers' own driver for a real screen: any card with kernel mode setting, drawn on through a dumb buffer.
// It is the card's only master while it is open. Another computer's screen has the same face: see remote.ts.
import { type Connector, DrmDevice, type DrmMode, type DumbBuffer, type Rect } from '#linux/drm.ts';
import { SystemError } from '#linux/system-error.ts';
import { type KmsCard, listKmsCards } from './card.ts';
import { modesFor } from './choose-mode.ts';
import type { Shown } from './state.ts';
import {
  type PixelFormat,
  type Pixels,
  pixelsOf,
  rgb565,
  type Surface,
  Translation,
  xrgb8888,
} from './translate.ts';

/** A screen that shows pictures of the OS. Whatever it throws, the screen is not to be used any more. */
export interface DisplayDriver extends AsyncDisposable {
  /** Name of the card or screen in the device status table. */
  readonly typeName: string;
  /** Pictures of this kind will come; the first is drawn whole. */
  configure(picture: Surface): Promise<Shown>;
  /** Shows these parts of `bytes`, a whole picture as configured. */
  draw(bytes: Buffer, rects: readonly Rect[]): Promise<void>;
  /** Throws when the screen has gone. Called about once a second while nothing is drawn. */
  check(): Promise<void>;
}

/** What cards are offered, best first; depth is the number of colour bits. */
const offers: readonly { readonly format: PixelFormat; readonly depth: number }[] = [
  { format: xrgb8888, depth: 24 },
  { format: rgb565, depth: 16 },
];

interface Output {
  readonly connector: Connector;
  readonly crtcId: number;
}

/** What is needed of a card; tests have one of their own. */
export type Kms = Pick<
  DrmDevice,
  | 'ping'
  | 'resources'
  | 'connector'
  | 'possibleCrtcs'
  | 'createBuffer'
  | 'destroyBuffer'
  | 'show'
  | 'dirty'
  | typeof Symbol.dispose
>;

interface Screen {
  readonly buffer: DumbBuffer;
  readonly pixels: Pixels;
  readonly translation: Translation;
}

export class LocalDisplay implements DisplayDriver {
  readonly typeName: string;
  readonly #drm: Kms;
  readonly #settings: number;
  #output: Output | undefined;
  #screen: Screen | undefined;
  #picture: Surface | undefined;
  /** Cards that show their memory as it is need not be told, and say so once. */
  #mustTell = true;

  /**
   * Opens the first card that has a screen. @throws Error saying why none can be used: there is none, no screen is
   * plugged in, another program has it
   */
  static open(
    cards: readonly KmsCard[] = listKmsCards(),
    openCard: (path: string) => Kms = path => new DrmDevice(path),
  ): LocalDisplay {
    let why: unknown = new Error('there is no display card with a driver that sets modes');
    for (const card of cards) {
      try {
        return new LocalDisplay(card, openCard);
      } catch (error) {
        why = isTaken(error)
          ? new Error(`another program, such as a display server, has ${card.typeName} for itself`)
          : error;
      }
    }
    throw why;
  }

  private constructor({ path, typeName, settings = 1 }: KmsCard, openCard: (path: string) => Kms) {
    this.typeName = typeName;
    this.#settings = settings;
    this.#drm = openCard(path);
    try {
      this.#output = findOutput(this.#drm);
      if (!this.#output) throw new Error(`no screen is plugged into ${typeName}`);
    } catch (error) {
      this.#drm[Symbol.dispose]();
      throw error;
    }
  }

  async configure(picture: Surface): Promise<Shown> {
    this.#darken();
    this.#output = findOutput(this.#drm) ?? this.#output;
    const { connector, crtcId } = this.#output!;
    let why: unknown = 'it has no mode';
    for (const mode of modesFor(picture, connector.modes)) {
      for (const { format, depth } of offers) {
        try {
          const buffer = this.#light(crtcId, connector.id, mode, format, depth);
          const { width, height, lineBytes } = buffer;
          const translation = new Translation(picture, { width, height, lineBytes, format });
          this.#screen = { buffer, pixels: pixelsOf(buffer.memory.bytes, format), translation };
          this.#picture = picture;
          return { mode: `${width}x${height} at ${mode.refreshHz} Hz`, conversion: translation.description };
        } catch (error) {
          if (isGone(error)) throw error;
          why = error;
        }
      }
    }
    const reason = why instanceof Error ? why.message : why;
    const { width, height } = picture;
    throw new Error(`${this.typeName} cannot show ${width}x${height} in any of its modes: ${reason}`, {
      cause: why,
    });
  }

  async draw(bytes: Buffer, rects: readonly Rect[]): Promise<void> {
    const screen = this.#screen;
    if (!screen || !this.#picture) throw new Error('the screen was not configured');
    const source = pixelsOf(bytes, this.#picture.format);
    const drawn = rects
      .map(rect => screen.translation.draw(source, screen.pixels, rect))
      .filter(each => each.width > 0 && each.height > 0);
    if (drawn.length > 0) this.#tell(screen.buffer, drawn);
  }

  async check(): Promise<void> {
    this.#drm.ping();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#darken();
    } finally {
      this.#drm[Symbol.dispose]();
    }
  }

  #light(crtcId: number, connectorId: number, mode: DrmMode, format: PixelFormat, depth: number): DumbBuffer {
    const buffer = this.#drm.createBuffer(mode.width, mode.height, format.bitsPerPixel, depth);
    try {
      for (let times = this.#settings; times > 0; times--)
        this.#drm.show(crtcId, connectorId, mode, buffer.framebufferId);
      return buffer;
    } catch (error) {
      this.#drm.destroyBuffer(buffer);
      throw error;
    }
  }

  #tell(buffer: DumbBuffer, rects: readonly Rect[]): void {
    if (!this.#mustTell) return;
    // Whole rows: the cirrus driver of Linux 6.1 puts a part that does not begin at the left edge in the wrong place when
    // it converts pixels itself (cirrus_fb_blit_rect counts the bytes of its own pixels as if they were ours).
    const rows = rects.map(({ y, height }) => ({ x: 0, y, width: buffer.width, height }));
    try {
      this.#drm.dirty(buffer.framebufferId, rows);
    } catch (error) {
      if (!(error instanceof SystemError) || !['ENOSYS', 'EINVAL', 'ENOTSUP'].includes(error.code))
        throw error;
      this.#mustTell = false;
    }
  }

  #darken(): void {
    const screen = this.#screen;
    this.#screen = undefined;
    if (!screen) return;
    try {
      this.#drm.destroyBuffer(screen.buffer);
    } catch (error) {
      if (!isGone(error)) throw error; // the card went and took its buffers along
    }
  }
}

/** The first plug with a screen, and a scan-out engine that can feed it. */
function findOutput(drm: Kms): Output | undefined {
  const { crtcIds, connectorIds } = drm.resources();
  for (const id of connectorIds) {
    const connector = drm.connector(id);
    if (!connector.connected || connector.modes.length === 0) continue;
    const possible = connector.encoderIds.reduce((all, encoder) => all | drm.possibleCrtcs(encoder), 0);
    const crtcId = crtcIds.find((_, index) => (possible >>> index) & 1);
    if (crtcId !== undefined) return { connector, crtcId };
  }
  return undefined;
}

const isGone = (error: unknown): boolean => error instanceof SystemError && error.code === 'ENODEV';
const isTaken = (error: unknown): boolean => error instanceof SystemError && error.code === 'EBUSY';
