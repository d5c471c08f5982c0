// From the stub to a screen, here and on another computer: what changed arrives, and only that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { YadoError } from '#core/errors.ts';
import type { DrmMode, Rect } from '#linux/drm.ts';
import { Shadow } from './changes.ts';
import { modesFor } from './choose-mode.ts';
import type { DisplayDriver } from './driver.ts';
import { Pump } from './pump.ts';
import { piecesOf, RemoteDisplay, type ScreenSession } from './remote.ts';
import { DisplayService } from './service.ts';
import type { Shown } from './state.ts';
import { bgr565, type Surface, xbgr8888 } from './translate.ts';

const surface = (width: number, height: number, format = bgr565): Surface => ({
  width,
  height,
  format,
  lineBytes: Math.ceil((width * format.bitsPerPixel) / 32) * 4,
});

/** A screen that shows pictures as they are. */
class FakeScreen implements DisplayDriver {
  readonly typeName = 'fake';
  surface: Surface | undefined;
  bytes = Buffer.alloc(0);
  drawn: Rect[] = [];
  gone = false;

  async configure(picture: Surface): Promise<Shown> {
    this.surface = picture;
    this.bytes = Buffer.alloc(picture.lineBytes * picture.height);
    return { mode: `${picture.width}x${picture.height}`, conversion: 'none' };
  }
  async draw(bytes: Buffer, rects: readonly Rect[]): Promise<void> {
    const { lineBytes, format } = this.surface!;
    const pixelBytes = format.bitsPerPixel / 8;
    for (const { x, y, width, height } of rects)
      for (let row = y; row < y + height; row++)
        bytes.copy(
          this.bytes,
          row * lineBytes + x * pixelBytes,
          row * lineBytes + x * pixelBytes,
          row * lineBytes + (x + width) * pixelBytes,
        );
    this.drawn.push(...rects);
  }
  async check(): Promise<void> {
    if (this.gone) throw new Error('the card has gone');
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

test('what differs is found, and the copy is the picture again', () => {
  const point = fc.record({ x: fc.nat(29), y: fc.nat(99), value: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(point, { maxLength: 6 }), points => {
      const of = surface(30, 100);
      const shadow = new Shadow(of);
      const live = Buffer.alloc(of.lineBytes * of.height);
      for (const { x, y, value } of points) live[y * of.lineBytes + x * 2] = value;
      const rects = shadow.update(live);
      assert.deepEqual(shadow.bytes, live);
      for (const { x, y, value } of points)
        if (value !== 0 && live[y * of.lineBytes + x * 2] !== 0)
          assert.ok(
            rects.some(r => x >= r.x && x < r.x + r.width && y >= r.y && y < r.y + r.height),
            `${x},${y}`,
          );
      assert.deepEqual(shadow.update(live), []);
    }),
  );
});

test('one changed character is one small rectangle, a full screen is one large one', () => {
  const of = surface(1280, 1024);
  const shadow = new Shadow(of);
  const live = Buffer.alloc(of.lineBytes * of.height);
  for (let row = 64; row < 80; row++) live.fill(1, row * of.lineBytes + 160, row * of.lineBytes + 176);
  assert.deepEqual(shadow.update(live), [{ x: 80, y: 64, width: 8, height: 16 }]);
  live.fill(7);
  assert.deepEqual(shadow.update(live), [{ x: 0, y: 0, width: 1280, height: 1024 }]);
});

test('the pump shows the picture, its changes, and another mode; a screen that goes ends it', async () => {
  let mode: Surface | undefined = surface(64, 48);
  const source = {
    picture: Buffer.alloc(64 * 48 * 2, 5),
    watchMode: () => () => {
      const told = mode;
      mode = undefined;
      return told;
    },
  };
  const screen = new FakeScreen();
  const pump = new Pump(source, screen);
  const { promise: failure, resolve: failed } = Promise.withResolvers<unknown>();
  await pump.start(failed);
  assert.deepEqual(screen.bytes, source.picture);
  source.picture[1000] = 77;
  const changedAt = performance.now();
  while (screen.bytes[1000] !== 77) await sleep(1);
  assert.ok(performance.now() - changedAt < 500);
  source.picture = Buffer.alloc(32 * 20 * 4, 9);
  mode = surface(32, 20, xbgr8888);
  while (screen.surface?.width !== 32) await sleep(1);
  while (screen.bytes[0] !== 9) await sleep(1);
  assert.deepEqual(pump.shown, { mode: '32x20', conversion: 'none' });
  screen.gone = true;
  assert.match(String(await failure), /the card has gone/);
  assert.equal(pump.shown, undefined);
  await pump.stop();
});

test('a mode the screen cannot show: it is left as it was, that is told, and the next mode is shown', async () => {
  const grey = { ...bgr565, bitsPerPixel: 8 };
  const modes: Surface[] = [surface(64, 48)];
  const source = { picture: Buffer.alloc(64 * 48 * 2, 5), watchMode: () => () => modes.shift() };
  const screen = new FakeScreen();
  const pump = new Pump(source, screen);
  await pump.start(error => assert.fail(String(error)));
  modes.push(surface(1 << 20, 1 << 20, grey)); // no memory is taken for it
  while (pump.shown?.conversion === 'none') await sleep(1);
  assert.deepEqual(pump.shown, { mode: '64x48', conversion: '8 bits a pixel are not shown' });
  assert.equal(screen.bytes.length, 64 * 48 * 2);
  source.picture = Buffer.alloc(32 * 20 * 2, 9);
  modes.push(surface(32, 20));
  while (screen.surface?.width !== 32) await sleep(1);
  await pump.stop();
  assert.deepEqual(pump.shown, { mode: '32x20', conversion: 'none' });
});

test('a mode that no memory is left for ends the pump with a reason, not the agent', async () => {
  const modes: Surface[] = [surface(64, 48)];
  const source = { picture: Buffer.alloc(64 * 48 * 2, 5), watchMode: () => () => modes.shift() };
  const screen = new FakeScreen();
  const pump = new Pump(source, screen);
  const { promise: failure, resolve: failed } = Promise.withResolvers<unknown>();
  await pump.start(failed);
  screen.configure = async () => {
    throw new Error('VGA bochs-drm cannot show 4096x4096 in any of its modes');
  };
  modes.push(surface(4096, 4096));
  assert.match(String(await failure), /cannot show 4096x4096/);
  assert.equal(pump.shown, undefined);
  await pump.stop();
});

/** The service of the other computer, with nothing between. */
function sessionOf(service: DisplayService): ScreenSession & { readonly sizes: number[] } {
  const answers = {
    screen: (request: Parameters<DisplayService['screen']>[0]) => service.screen(request),
    draw: (request: Parameters<DisplayService['draw']>[0]) => service.draw(request),
  };
  const sizes: number[] = [];
  const ask = (type: 'screen' | 'draw', request: never) => {
    sizes.push(
      (request as { rects?: { data: Uint8Array }[] }).rects?.reduce((n, r) => n + r.data.length, 0) ?? 0,
    );
    return answers[type](request);
  };
  return { ask: ask as ScreenSession['ask'], sizes, [Symbol.dispose]: () => {} };
}

test('a picture that cannot be compressed reaches the screen of another computer in messages of allowed size', async () => {
  const screen = new FakeScreen();
  const service = new DisplayService(screen);
  const session = sessionOf(service);
  const of = surface(1280, 1024);
  const noise = Buffer.alloc(of.lineBytes * of.height);
  for (let at = 0, n = 1; at < noise.length; at += 4) {
    n = (Math.imul(n, 1664525) + 1013904223) | 0;
    noise.writeInt32LE(n ^ (n >>> 13), at);
  }
  await using remote = new RemoteDisplay(session, 'b', 'display0', 7, new AbortController().signal);
  assert.deepEqual(await remote.configure(of), { mode: '1280x1024', conversion: 'none' });
  assert.equal(remote.typeName, 'fake');
  await remote.draw(noise, [{ x: 0, y: 0, width: 1280, height: 1024 }]);
  assert.deepEqual(screen.bytes, noise);
  assert.ok(Math.max(...session.sizes) <= 768 * 1024, String(session.sizes));
  await remote.check();
  await service.stop();
});

const asked = { device: 'display0', width: 10, height: 10, bitsPerPixel: 16 } as const;

test('rectangles that lie are refused', async () => {
  const service = new DisplayService(new FakeScreen());
  await assert.rejects(service.draw({ rects: [] }), /nothing was said/);
  await service.screen(asked);
  const rect = { x: 0, y: 0, width: 2, height: 2, data: new Uint8Array([1, 2, 3]) };
  await assert.rejects(service.draw({ rects: [rect] }), /cannot be unpacked/);
  await assert.rejects(service.draw({ rects: [{ ...rect, x: 9 }] }), /beyond the edge/);
  const bomb = new Uint8Array(zstdCompressSync(Buffer.alloc(100 << 20)));
  await assert.rejects(service.draw({ rects: [{ ...rect, data: bomb }] }), /cannot be unpacked/);
  const few = new Uint8Array(zstdCompressSync(Buffer.alloc(7)));
  await assert.rejects(service.draw({ rects: [{ ...rect, data: few }] }), /7 bytes in a rectangle of 8/);
});

test('garbage for a screen: refused or drawn inside it, and the next frame is shown', async () => {
  const screen = new FakeScreen();
  const service = new DisplayService(screen);
  await service.screen(asked);
  const small = fc.integer({ min: 0, max: 12 });
  const data = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 }).map(bytes => new Uint8Array(zstdCompressSync(bytes))),
  );
  const rect = fc.record({
    x: small,
    y: small,
    width: fc.integer({ min: 1, max: 12 }),
    height: fc.integer({ min: 1, max: 12 }),
    data: data.map(bytes => Uint8Array.from(bytes)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(rect, { maxLength: 4 }), async rects => {
      await service.draw({ rects }).catch((error: unknown) => {
        assert.ok(error instanceof YadoError && error.code === 'badRequest', String(error));
      });
      assert.equal(screen.bytes.length, 200);
    }),
    { numRuns: 100 },
  );
  const white = new Uint8Array(zstdCompressSync(Buffer.alloc(200, 255)));
  await service.draw({ rects: [{ x: 0, y: 0, width: 10, height: 10, data: white }] });
  assert.deepEqual(screen.bytes, Buffer.alloc(200, 255));
});

test('a picture too large for the computer that lends is refused before any memory is taken for it', async () => {
  const screen = new FakeScreen();
  const service = new DisplayService(screen);
  await assert.rejects(service.screen({ ...asked, width: 16_384, height: 16_384, bitsPerPixel: 32 }), {
    code: 'screenTooLarge',
    message: 'A picture of 16384x16384 needs 1024 MiB; a computer that lends its screen gives at most 64.',
    hint: 'set a smaller mode (fbset), or: yado return display0',
  });
  assert.equal(screen.bytes.length, 0);
  await service.screen(asked);
  assert.equal(screen.bytes.length, 200);
});

test('pieces cover the rectangle', () => {
  const pieces = piecesOf({ x: 3, y: 5, width: 1000, height: 1001 }, surface(2000, 2000, xbgr8888));
  assert.equal(pieces[0]?.y, 5);
  assert.equal(
    pieces.reduce((rows, each) => rows + each.height, 0),
    1001,
  );
});

test('modes: the same size, then what holds the picture, then what the screen likes', () => {
  const mode = (width: number, height: number, preferred = false): DrmMode => ({
    width,
    height,
    preferred,
    refreshHz: 60,
    raw: Buffer.alloc(0),
  });
  const modes = [mode(800, 600, true), mode(1920, 1080), mode(1600, 1200), mode(1280, 1024), mode(1024, 768)];
  const names = (width: number, height: number) =>
    modesFor({ width, height }, modes).map(each => `${each.width}x${each.height}`);
  assert.deepEqual(names(1280, 1024), ['1280x1024', '1600x1200', '1920x1080', '800x600', '1024x768']);
  assert.equal(names(1000, 700)[0], '1024x768');
  assert.equal(names(4000, 3000)[0], '800x600');
});
