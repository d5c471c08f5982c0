// What of a picture has changed: a copy of it as it was shown last, compared with it as it is now. An unchanged picture
// costs one memcmp; a changed one is narrowed to the rows and columns that differ. Pure: knows nothing of where it lies.
import type { Rect } from '#linux/drm.ts';
import type { Surface } from './translate.ts';

/** Rows compared at once. */
const bandRows = 32;

export class Shadow {
  /** The picture as it was at the last `update`, in the surface's layout. */
  readonly bytes: Buffer;
  readonly #words: Int32Array;
  readonly #surface: Surface;
  readonly #pixelsPerWord: number;
  readonly #pixelBytes: number;
  // Of the band looked at, in words and rows; here and not returned, so that an idle screen makes no garbage.
  #left = 0;
  #right = 0;
  #top = 0;
  #bottom = 0;

  /** @param surface its lines must be whole 32-bit words long, as the kernel makes them */
  constructor(surface: Surface) {
    this.#surface = surface;
    this.bytes = Buffer.alloc(surface.lineBytes * surface.height);
    this.#words = new Int32Array(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length >> 2);
    this.#pixelBytes = surface.format.bitsPerPixel / 8;
    this.#pixelsPerWord = 4 / this.#pixelBytes;
  }

  /** Takes over `live`, which somebody may be drawing on. Returns what differed, top first, none overlapping. */
  update(live: Buffer): Rect[] {
    const { height, lineBytes } = this.#surface;
    const liveWords = new Int32Array(live.buffer, live.byteOffset, live.length >> 2);
    const changed: Rect[] = [];
    for (let row = 0; row < height; row += bandRows) {
      const end = Math.min(row + bandRows, height);
      if (this.bytes.compare(live, row * lineBytes, end * lineBytes, row * lineBytes, end * lineBytes) === 0)
        continue;
      this.#narrow(liveWords, row, end);
      if (this.#bottom === 0) continue; // drawn back meanwhile
      this.#take(live);
      this.#add(changed);
    }
    return changed;
  }

  /** All of it, as if everything had changed. */
  takeAll(live: Buffer): Rect[] {
    live.copy(this.bytes);
    return [{ x: 0, y: 0, width: this.#surface.width, height: this.#surface.height }];
  }

  #narrow(live: Int32Array, from: number, end: number): void {
    const shown = this.#words;
    const lineWords = this.#surface.lineBytes >> 2;
    this.#left = lineWords;
    this.#right = 0;
    this.#bottom = 0;
    for (let row = from; row < end; row++) {
      const at = row * lineWords;
      let first = 0;
      while (first < lineWords && live[at + first] === shown[at + first]) first++;
      if (first === lineWords) continue;
      if (this.#bottom === 0) this.#top = row;
      this.#bottom = row + 1;
      if (first < this.#left) this.#left = first;
      let last = lineWords;
      while (last > this.#right && live[at + last - 1] === shown[at + last - 1]) last--;
      if (last > this.#right) this.#right = last;
    }
  }

  #take(live: Buffer): void {
    const { lineBytes } = this.#surface;
    for (let row = this.#top; row < this.#bottom; row++) {
      const at = row * lineBytes;
      live.copy(this.bytes, at + this.#left * 4, at + this.#left * 4, at + this.#right * 4);
    }
  }

  #add(changed: Rect[]): void {
    const x = this.#left * this.#pixelsPerWord;
    const width = Math.min(this.#right * this.#pixelsPerWord, this.#surface.width) - x;
    if (width <= 0) return; // only beyond the right edge
    const height = this.#bottom - this.#top;
    const before = changed.at(-1);
    if (before && before.x === x && before.width === width && before.y + before.height === this.#top)
      changed[changed.length - 1] = { ...before, height: before.height + height };
    else changed.push({ x, y: this.#top, width, height });
  }
}
