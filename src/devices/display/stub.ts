// The display as the OS sees it: the stock module vfb, a framebuffer in plain memory that travels with the OS. Programs
// draw on it and set its mode as on any framebuffer; the consoles are put onto it once somebody can see it.
import { C } from '#linux/abi.ts';
import { listFramebuffers } from '#linux/display.ts';
import { open } from '#linux/ffi.ts';
import {
  consoleCount,
  framebufferOf,
  ModeReader,
  putConsole,
  readScreenInfo,
  type ScreenInfo,
} from '#linux/framebuffer.ts';
import { MappedMemory } from '#linux/mapped-memory.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import type { Surface } from './translate.ts';

const stubName = 'Virtual FB';

export class DisplayStub {
  readonly index: number;
  readonly path: string;
  readonly #fd: OwnedFd;
  readonly #memory: MappedMemory;
  #info: ScreenInfo;

  /** The stub of this OS; undefined when its module is not loaded. It stays open: other processes see no difference. */
  static find(): DisplayStub | undefined {
    const found = listFramebuffers().find(each => each.name === stubName);
    return found && new DisplayStub(found.index);
  }

  private constructor(index: number) {
    this.index = index;
    this.path = `/dev/fb${index}`;
    this.#fd = new OwnedFd(open(this.path, C.O_RDWR));
    this.#info = readScreenInfo(this.#fd.fd);
    this.#memory = new MappedMemory(this.#fd.fd, this.#info.memoryBytes, { what: `map ${this.path}` });
  }

  /** A function that gives the mode when a program has set another one since its last call; the first call tells it. */
  watchMode(): () => Surface | undefined {
    const reader = new ModeReader(this.#fd.fd);
    return () => {
      const info = reader.changed();
      if (!info) return undefined;
      this.#info = info;
      return surfaceOf(info);
    };
  }

  /** The mode as it is now, whether or not anybody watches it, and what is visible in it. */
  now(): { readonly surface: Surface; readonly picture: Buffer } {
    const info = readScreenInfo(this.#fd.fd);
    return { surface: surfaceOf(info), picture: this.#visible(info) };
  }

  /** The visible part of the memory in the mode that was told last, rows of `lineBytes`. */
  get picture(): Buffer {
    return this.#visible(this.#info);
  }

  #visible({ xOffset, yOffset, bitsPerPixel, lineBytes, height }: ScreenInfo): Buffer {
    // To the 32-bit word: a picture moved sideways by one pixel of 16 bits is nothing programs do.
    const from = yOffset * lineBytes + ((xOffset * bitsPerPixel) >> 5) * 4;
    return this.#memory.bytes.subarray(from, from + height * lineBytes);
  }

  /** Puts all consoles onto the stub: their text is drawn there from now on. */
  takeConsoles(): void {
    putConsoles(this.#fd.fd, this.index);
  }

  /** Numbers of the consoles on the stub: "1-63", "none". */
  consoles(): string {
    const mine = Array.from({ length: consoleCount }, (_, index) => index + 1).filter(
      each => framebufferOf(this.#fd.fd, each) === this.index,
    );
    return mine.length === 0 ? 'none' : `${mine[0]}-${mine.at(-1)}`;
  }
}

/** `fd` is any framebuffer's. The one in front goes first, so that a screen shows text as soon as it can. */
export function putConsoles(fd: number, index: number): void {
  for (let console = 1; console <= consoleCount; console++)
    if (framebufferOf(fd, console) !== index) putConsole(fd, console, index);
}

export function surfaceOf({ width, height, lineBytes, bitsPerPixel, red, green, blue }: ScreenInfo): Surface {
  return { width, height, lineBytes, format: { bitsPerPixel, red, green, blue } };
}
