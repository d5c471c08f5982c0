// Conversion between what the OS draws and what the real card shows: pixel formats, and a letter-box where the sizes
// differ. Pure: works on memory it is given, remembers nothing but its tables.
import type { Rect } from '#linux/drm.ts';
import type { ColourBits } from '#linux/framebuffer.ts';

/** Pixels of 16 or 32 bits, little endian. */
export interface PixelFormat {
  readonly bitsPerPixel: number;
  readonly red: ColourBits;
  readonly green: ColourBits;
  readonly blue: ColourBits;
}

/** A picture in memory: `lineBytes` from row to row, a multiple of the pixel's bytes. */
export interface Surface {
  readonly width: number;
  readonly height: number;
  readonly lineBytes: number;
  readonly format: PixelFormat;
}

const bits = (offset: number, length: number): ColourBits => ({ offset, length });
/** What cards show. Names as in DRM: the first colour lies in the highest bits. */
export const xrgb8888: PixelFormat = {
  bitsPerPixel: 32,
  red: bits(16, 8),
  green: bits(8, 8),
  blue: bits(0, 8),
};
export const rgb565: PixelFormat = {
  bitsPerPixel: 16,
  red: bits(11, 5),
  green: bits(5, 6),
  blue: bits(0, 5),
};
/** What vfb has, and what goes to another computer. */
export const xbgr8888: PixelFormat = {
  bitsPerPixel: 32,
  red: bits(0, 8),
  green: bits(8, 8),
  blue: bits(16, 8),
};
export const bgr565: PixelFormat = {
  bitsPerPixel: 16,
  red: bits(0, 5),
  green: bits(5, 6),
  blue: bits(11, 5),
};

/** "XRGB8888": as DRM calls it. */
export function formatName({ bitsPerPixel, red, green, blue }: PixelFormat): string {
  const colours = [
    { letter: 'R', ...red },
    { letter: 'G', ...green },
    { letter: 'B', ...blue },
  ].toSorted((a, b) => b.offset - a.offset);
  const rest = bitsPerPixel - colours.reduce((sum, each) => sum + each.length, 0);
  const all = rest > 0 ? [{ letter: 'X', length: rest }, ...colours] : colours;
  return all.map(each => each.letter).join('') + all.map(each => each.length).join('');
}

/** What the tables and loops below can do: 16 bits of any layout, 32 bits with 8 for each colour. */
export function isShowable({ bitsPerPixel, red, green, blue }: PixelFormat): boolean {
  const colours = [red, green, blue];
  if (bitsPerPixel === 32) return colours.every(each => each.length === 8 && each.offset <= 24);
  return (
    bitsPerPixel === 16 &&
    colours.every(each => each.length > 0 && each.length <= 8 && each.offset + each.length <= 16)
  );
}

/** `value` of `from` bits in `to` bits: the high bits are repeated below, so that full stays full and nothing nothing. */
export function widen(value: number, from: number, to: number): number {
  let wide = 0;
  for (let at = to - from; at > -from; at -= from) wide |= at >= 0 ? value << at : value >> -at;
  return wide;
}

/** Converts one pixel, exactly. The tables below hold its results. */
export function convertPixel(pixel: number, from: PixelFormat, to: PixelFormat): number {
  let converted = 0;
  for (const colour of ['red', 'green', 'blue'] as const) {
    const value = (pixel >>> from[colour].offset) & ((1 << from[colour].length) - 1);
    converted |= widen(value, from[colour].length, to[colour].length) << to[colour].offset;
  }
  return converted >>> 0;
}

export const sameFormat = (a: PixelFormat, b: PixelFormat): boolean =>
  a.bitsPerPixel === b.bitsPerPixel &&
  (['red', 'green', 'blue'] as const).every(
    each => a[each].offset === b[each].offset && a[each].length === b[each].length,
  );

/** Memory of a surface, as bytes and as pixels of its width. */
export type Pixels = Uint16Array | Uint32Array;
export function pixelsOf(bytes: Uint8Array, { bitsPerPixel }: PixelFormat): Pixels {
  return bitsPerPixel === 16
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1)
    : new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
}

/** Where the picture lies on the screen. */
export interface Box extends Rect {
  readonly scaled: boolean;
}

/** In the middle as it is when the screen holds it, else made smaller with its proportions kept. */
export function letterBox(from: Surface, to: Surface): Box {
  const factor = Math.min(1, to.width / from.width, to.height / from.height);
  const width = Math.max(1, Math.floor(from.width * factor));
  const height = Math.max(1, Math.floor(from.height * factor));
  return {
    x: (to.width - width) >> 1,
    y: (to.height - height) >> 1,
    width,
    height,
    scaled: factor < 1,
  };
}

export class Translation {
  /** One line for the device status table. */
  readonly description: string;
  readonly #to: Surface;
  readonly #from: Surface;
  readonly #box: Box;
  /** Row and column of the picture for each row and column of the box. */
  readonly #rows: Int32Array;
  readonly #columns: Int32Array;
  readonly #isCopy: boolean;
  /** For pixels of 16 bits; those of 32 are computed. */
  readonly #table: Uint32Array | undefined;

  constructor(from: Surface, to: Surface) {
    this.#from = from;
    this.#to = to;
    this.#box = letterBox(from, to);
    this.#rows = nearest(this.#box.height, from.height);
    this.#columns = nearest(this.#box.width, from.width);
    this.#isCopy = sameFormat(from.format, to.format) && !this.#box.scaled;
    if (!this.#isCopy && from.format.bitsPerPixel === 16)
      this.#table = Uint32Array.from({ length: 65536 }, (_, pixel) =>
        convertPixel(pixel, from.format, to.format),
      );
    this.description = describe(from, to, this.#box);
  }

  /** Draws `rect` of the picture. Returns the part of the screen that changed. */
  draw(source: Pixels, target: Pixels, rect: Rect): Rect {
    const box = this.#box;
    const left = firstAt(this.#columns, rect.x);
    const right = firstAt(this.#columns, rect.x + rect.width);
    const top = firstAt(this.#rows, rect.y);
    const bottom = firstAt(this.#rows, rect.y + rect.height);
    const sourceLine = this.#from.lineBytes / source.BYTES_PER_ELEMENT;
    const targetLine = this.#to.lineBytes / target.BYTES_PER_ELEMENT;
    for (let row = top; row < bottom; row++) {
      const from = this.#rows[row]! * sourceLine;
      const to = (row + box.y) * targetLine + box.x;
      if (this.#isCopy) target.set(source.subarray(from + left, from + right), to + left);
      else if (this.#table) lookUpRow(source, target, this.#table, this.#columns, from, to, left, right);
      else this.#computeRow(source, target, from, to, left, right);
    }
    return { x: left + box.x, y: top + box.y, width: right - left, height: bottom - top };
  }

  #computeRow(source: Pixels, target: Pixels, from: number, to: number, left: number, right: number): void {
    const { red, green, blue } = this.#from.format;
    const { red: toRed, green: toGreen, blue: toBlue } = this.#to.format;
    const columns = this.#columns;
    // From 32 bits every colour has 8, of which the lowest are left off where the card has fewer.
    const [dropRed, dropGreen, dropBlue] = [8 - toRed.length, 8 - toGreen.length, 8 - toBlue.length];
    for (let column = left; column < right; column++) {
      const pixel = source[from + columns[column]!]!;
      target[to + column] =
        ((((pixel >>> red.offset) & 0xff) >> dropRed) << toRed.offset) |
        ((((pixel >>> green.offset) & 0xff) >> dropGreen) << toGreen.offset) |
        ((((pixel >>> blue.offset) & 0xff) >> dropBlue) << toBlue.offset);
    }
  }
}

function lookUpRow(
  source: Pixels,
  target: Pixels,
  table: Uint32Array,
  columns: Int32Array,
  from: number,
  to: number,
  left: number,
  right: number,
): void {
  for (let column = left; column < right; column++)
    target[to + column] = table[source[from + columns[column]!]!]!;
}

/** For each of `count` places the nearest of `of`. */
function nearest(count: number, of: number): Int32Array {
  return Int32Array.from({ length: count }, (_, at) => Math.floor((at * of) / count));
}

/** The first place that shows `wanted` or what lies behind it. */
function firstAt(places: Int32Array, wanted: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function describe(from: Surface, to: Surface, box: Box): string {
  const parts: string[] = [];
  if (!sameFormat(from.format, to.format))
    parts.push(`${formatName(from.format)} to ${formatName(to.format)}`);
  const screen = `${to.width}x${to.height}`;
  if (box.scaled) parts.push(`scaled to ${box.width}x${box.height} in ${screen}`);
  else if (from.width !== to.width || from.height !== to.height) parts.push(`in the middle of ${screen}`);
  return parts.join(', ') || 'none';
}
