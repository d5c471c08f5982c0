// The items of a display in the device status table: what the OS has set and drawn, and what is shown of it where.
import { crc32 } from 'node:zlib';
import type { StatusItem } from '#core/device-status-table.ts';
import type { Surface } from './translate.ts';

/** What the driver says of the real screen. */
export interface Shown {
  /** "1024x768 at 60 Hz", on the real screen. */
  readonly mode: string;
  /** How the picture is converted, "none" when it is not. */
  readonly conversion: string;
}

export interface DisplayState {
  readonly surface: Surface;
  /** The visible part of the framebuffer. */
  readonly picture: Buffer;
  readonly path: string;
  readonly consoles: string;
  readonly framesDrawn: number;
  /** Undefined while nothing is shown; then `why` says so. */
  readonly shown: Shown | undefined;
  readonly why: string;
}

export function displayItems(state: DisplayState): StatusItem[] {
  const { surface, picture, shown } = state;
  const { width, height, format } = surface;
  const sum = crc32(picture).toString(16).padStart(8, '0');
  return [
    { item: 'video mode', state: `${width}x${height}, ${coloursOf(format.bitsPerPixel)}` },
    { item: 'framebuffer', state: `${state.path}, ${picture.length} bytes, crc32 ${sum}` },
    { item: 'console', state: state.consoles },
    { item: 'real mode', state: shown?.mode ?? `none: ${state.why}` },
    { item: 'conversion', state: shown?.conversion ?? 'none' },
    { item: 'frames drawn', state: String(state.framesDrawn) },
  ];
}

export function coloursOf(bitsPerPixel: number): string {
  return bitsPerPixel >= 24 ? '16777216 colours' : `${2 ** bitsPerPixel} colours`;
}
