// A picture as a screen shows it, and what can be told of it. Pure.

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue of every pixel, row by row. */
  readonly rgb: Uint8Array;
}

/** Reads a binary PPM (P6, 8 bits a colour), as QEMU writes it. @throws Error when it is none */
export function decodePpm(bytes: Uint8Array): Picture {
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(Buffer.from(bytes.subarray(0, 64)).toString('latin1'));
  if (!head) throw new Error('not a picture');
  const [width, height] = [Number(head[1]), Number(head[2])];
  const rgb = bytes.subarray(head[0].length);
  if (rgb.length < width * height * 3) throw new Error('half a picture');
  return { width, height, rgb: rgb.subarray(0, width * height * 3) };
}

/** The bytes of a framebuffer with 65536 colours as vfb has them (red lowest, little endian) that shows exactly this. */
export function asBgr565({ width, height, rgb }: Picture): Buffer {
  const out = Buffer.alloc(width * height * 2);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [red, green, blue] = [rgb[pixel * 3]!, rgb[pixel * 3 + 1]!, rgb[pixel * 3 + 2]!];
    out.writeUInt16LE((red >> 3) | ((green >> 2) << 5) | ((blue >> 3) << 11), pixel * 2);
  }
  return out;
}

/** True when every colour is one that 65536 colours can show exactly: its low bits repeat its high ones. */
export function isExact565({ rgb }: Picture): boolean {
  for (let at = 0; at < rgb.length; at++) {
    const value = rgb[at]!;
    const bits = at % 3 === 1 ? 6 : 5;
    const high = value >> (8 - bits);
    if (((high << (8 - bits)) | (high >> (2 * bits - 8))) !== value) return false;
  }
  return true;
}
