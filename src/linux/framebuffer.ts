// Framebuffer devices (/dev/fbN) by ioctl: the mode somebody has set, and which framebuffer a console is on.
// Never sets a mode: that is for the programs of the OS.
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import { ioctl } from '#linux/ffi.ts';

/** Where one colour lies in a pixel: bits counted from the lowest. */
export interface ColourBits {
  readonly offset: number;
  readonly length: number;
}

/** What is to be seen of a framebuffer. Offsets in pixels into its memory. */
export interface ScreenInfo {
  readonly width: number;
  readonly height: number;
  readonly xOffset: number;
  readonly yOffset: number;
  readonly bitsPerPixel: number;
  readonly red: ColourBits;
  readonly green: ColourBits;
  readonly blue: ColourBits;
  readonly lineBytes: number;
  readonly memoryBytes: number;
}

/** Consoles are numbered from 1 (MAX_NR_CONSOLES of the kernel is 63). */
export const consoleCount = 63;

const variable = OFFSET['struct fb_var_screeninfo'];
const fixed = OFFSET['struct fb_fix_screeninfo'];

/**
 * Reads the mode of the framebuffer open at `fd`. Used for every picture: `info` is filled anew by each call, and
 * `changed` tells whether anything differs from the call before.
 */
export class ModeReader {
  readonly #fd: number;
  readonly #variable = Buffer.alloc(SIZE['struct fb_var_screeninfo']);
  readonly #fixed = Buffer.alloc(SIZE['struct fb_fix_screeninfo']);
  readonly #last = Buffer.alloc(SIZE['struct fb_var_screeninfo'] + SIZE['struct fb_fix_screeninfo']);

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The mode when it differs from that of the last call, else undefined. */
  changed(): ScreenInfo | undefined {
    ioctl(this.#fd, C.FBIOGET_VSCREENINFO, this.#variable, 'video mode');
    ioctl(this.#fd, C.FBIOGET_FSCREENINFO, this.#fixed, 'framebuffer memory');
    const at = this.#variable.length;
    if (
      this.#last.compare(this.#variable, 0, at, 0, at) === 0 &&
      this.#last.compare(this.#fixed, 0, undefined, at) === 0
    )
      return undefined;
    this.#variable.copy(this.#last);
    this.#fixed.copy(this.#last, at);
    return decodeScreenInfo(this.#variable, this.#fixed);
  }
}

export function readScreenInfo(fd: number): ScreenInfo {
  return new ModeReader(fd).changed()!;
}

/** struct fb_var_screeninfo and struct fb_fix_screeninfo. */
export function decodeScreenInfo(v: Buffer, f: Buffer): ScreenInfo {
  const bits = (at: number): ColourBits => ({
    offset: v.readUInt32LE(at + OFFSET['struct fb_bitfield'].offset),
    length: v.readUInt32LE(at + OFFSET['struct fb_bitfield'].length),
  });
  return {
    width: v.readUInt32LE(variable.xres),
    height: v.readUInt32LE(variable.yres),
    xOffset: v.readUInt32LE(variable.xoffset),
    yOffset: v.readUInt32LE(variable.yoffset),
    bitsPerPixel: v.readUInt32LE(variable.bits_per_pixel),
    red: bits(variable.red),
    green: bits(variable.green),
    blue: bits(variable.blue),
    lineBytes: f.readUInt32LE(fixed.line_length),
    memoryBytes: f.readUInt32LE(fixed.smem_len),
  };
}

/** The framebuffer a console is on; undefined when it is on none. `fd` is any framebuffer. */
export function framebufferOf(fd: number, console: number): number | undefined {
  const map = encodeMap(console, 0);
  ioctl(fd, C.FBIOGET_CON2FBMAP, map, `framebuffer of console ${console}`);
  const index = map.readInt32LE(OFFSET['struct fb_con2fbmap'].framebuffer);
  return index < 0 ? undefined : index;
}

/** Puts a console onto /dev/fb<index>. The kernel draws its text there at once, also when nobody is logged in. */
export function putConsole(fd: number, console: number, index: number): void {
  ioctl(fd, C.FBIOPUT_CON2FBMAP, encodeMap(console, index), `put console ${console} onto fb${index}`);
}

function encodeMap(console: number, index: number): Buffer {
  const map = Buffer.alloc(SIZE['struct fb_con2fbmap']);
  map.writeUInt32LE(console, OFFSET['struct fb_con2fbmap'].console);
  map.writeUInt32LE(index, OFFSET['struct fb_con2fbmap'].framebuffer);
  return map;
}
