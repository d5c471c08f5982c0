// Pixels on their way from the stub to a card: exact in every format, in the right place, nothing beside it touched.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bgr565,
  convertPixel,
  formatName,
  isShowable,
  letterBox,
  type PixelFormat,
  pixelsOf,
  rgb565,
  type Surface,
  Translation,
  widen,
  xbgr8888,
  xrgb8888,
} from './translate.ts';

const surface = (width: number, height: number, format: PixelFormat): Surface => ({
  width,
  height,
  format,
  lineBytes: Math.ceil((width * format.bitsPerPixel) / 32) * 4,
});
const memory = (of: Surface): Buffer => Buffer.alloc(of.lineBytes * of.height);
const all = ({ width, height }: Surface) => ({ x: 0, y: 0, width, height });

test('formats are called as DRM calls them', () => {
  assert.deepEqual([xrgb8888, rgb565, xbgr8888, bgr565].map(formatName), [
    'XRGB8888',
    'RGB565',
    'XBGR8888',
    'BGR565',
  ]);
  assert.equal(isShowable(bgr565), true);
  assert.equal(isShowable({ ...bgr565, bitsPerPixel: 8 }), false);
  assert.equal(isShowable({ ...xrgb8888, red: { offset: 20, length: 10 } }), false);
});

test('5 and 6 bits become 8 as (v << 3) | (v >> 2) and (v << 2) | (v >> 4)', () => {
  for (let v = 0; v < 32; v++) assert.equal(widen(v, 5, 8), (v << 3) | (v >> 2));
  for (let v = 0; v < 64; v++) assert.equal(widen(v, 6, 8), (v << 2) | (v >> 4));
  for (let v = 0; v < 256; v++) assert.equal(widen(v, 8, 5), v >> 3);
  for (let v = 0; v < 256; v++) assert.equal(widen(v, 8, 8), v);
});

test('every colour of 16 bits comes back from 32 bits as it was', () => {
  for (const format of [rgb565, bgr565])
    for (let pixel = 0; pixel < 65536; pixel++)
      assert.equal(convertPixel(convertPixel(pixel, format, xrgb8888), xrgb8888, format), pixel);
  assert.equal(convertPixel(0xffff, bgr565, xrgb8888), 0xffffff);
  assert.equal(convertPixel(0x001f, bgr565, xrgb8888), 0xff0000);
});

test('pictures are converted pixel by pixel, whatever the formats', () => {
  const formats = [rgb565, bgr565, xrgb8888, xbgr8888];
  const format = fc.constantFrom(...formats);
  fc.assert(
    fc.property(
      format,
      format,
      fc.uint8Array({ minLength: 4 * 7 * 5, maxLength: 4 * 7 * 5 }),
      (from, to, data) => {
        const source = surface(7, 5, from);
        const target = surface(7, 5, to);
        const bytes = Buffer.from(data).subarray(0, source.lineBytes * 5);
        const live = Buffer.alloc(bytes.length);
        bytes.copy(live);
        const screen = memory(target);
        const translation = new Translation(source, target);
        const [pixels, shown] = [pixelsOf(live, from), pixelsOf(screen, to)];
        assert.deepEqual(translation.draw(pixels, shown, all(source)), all(target));
        for (let y = 0; y < 5; y++)
          for (let x = 0; x < 7; x++) {
            const pixel = pixels[(y * source.lineBytes * 8) / from.bitsPerPixel + x]!;
            const got = shown[(y * target.lineBytes * 8) / to.bitsPerPixel + x]!;
            assert.equal(got, formatName(from) === formatName(to) ? pixel : convertPixel(pixel, from, to));
          }
      },
    ),
  );
});

test('a picture smaller than the screen lies in its middle as it is; a larger one keeps its proportions', () => {
  const screen = surface(1024, 768, xrgb8888);
  const small = surface(640, 480, bgr565);
  const large = surface(1280, 1024, bgr565);
  assert.deepEqual(letterBox(small, screen), { x: 192, y: 144, width: 640, height: 480, scaled: false });
  assert.deepEqual(letterBox(large, screen), { x: 32, y: 0, width: 960, height: 768, scaled: true });
  assert.equal(new Translation(small, screen).description, 'BGR565 to XRGB8888, in the middle of 1024x768');
  assert.equal(
    new Translation(large, screen).description,
    'BGR565 to XRGB8888, scaled to 960x768 in 1024x768',
  );
  assert.equal(new Translation(screen, screen).description, 'none');
});

test('parts drawn one by one give the same screen as the whole, also when it is scaled', () => {
  const size = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(size, size, size, size, fc.integer(), (width, height, screenWidth, screenHeight, seed) => {
      const source = surface(width, height, bgr565);
      const target = surface(screenWidth, screenHeight, xrgb8888);
      const live = memory(source);
      for (let at = 0; at < live.length; at++) live[at] = (seed >>> (at % 24)) * 31 + at * 7;
      const [whole, parts] = [memory(target), memory(target)];
      const translation = new Translation(source, target);
      const pixels = pixelsOf(live, bgr565);
      translation.draw(pixels, pixelsOf(whole, xrgb8888), all(source));
      const [x, y] = [width >> 1, height >> 1];
      for (const rect of [
        { x: 0, y: 0, width: x, height: y },
        { x, y: 0, width: width - x, height: y },
        { x: 0, y, width, height: height - y },
      ])
        translation.draw(pixels, pixelsOf(parts, xrgb8888), rect);
      assert.deepEqual(parts, whole);
    }),
  );
});
