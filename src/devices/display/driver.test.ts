// The driver for real cards on cards that are full, poor, taken, absent, or pulled out.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import type { Connector, DrmMode, DumbBuffer } from '#linux/drm.ts';
import { MappedMemory } from '#linux/mapped-memory.ts';
import { SystemError } from '#linux/system-error.ts';
import { type Kms, LocalDisplay } from './driver.ts';
import { bgr565, type Surface } from './translate.ts';

const { EBUSY, ENODEV, ENOMEM } = constants.errno;
const vga = { path: '/dev/dri/card0', typeName: 'VGA bochs-drm 1234:1111' };

const mode = (width: number, height: number): DrmMode => ({
  width,
  height,
  refreshHz: 60,
  preferred: false,
  raw: Buffer.alloc(0),
});

const picture = (width: number, height: number): Surface => ({
  width,
  height,
  lineBytes: width * 2,
  format: bgr565,
});

/** A card with so much memory that can be pulled out. */
class FakeCard implements Kms {
  readonly memoryBytes: number;
  readonly modes: readonly DrmMode[];
  connected = true;
  pulled = false;
  closed = false;
  shown = '';
  settings = 0;
  #used = 0;

  constructor(memoryBytes: number, modes: readonly DrmMode[]) {
    this.memoryBytes = memoryBytes;
    this.modes = modes;
  }

  ping(): void {
    if (this.pulled) throw new SystemError('ask the display card', ENODEV);
  }
  resources() {
    this.ping();
    return { crtcIds: [1], connectorIds: [2] };
  }
  connector(id: number): Connector {
    return { id, connected: this.connected, modes: this.modes, encoderIds: [3] };
  }
  possibleCrtcs(): number {
    return 1;
  }
  createBuffer(width: number, height: number, bitsPerPixel: number): DumbBuffer {
    this.ping();
    const lineBytes = (width * bitsPerPixel) / 8;
    const size = lineBytes * height;
    if (this.#used + size > this.memoryBytes) throw new SystemError('buffer for the screen', ENOMEM);
    this.#used += size;
    const memory = new MappedMemory(-1, size);
    return { framebufferId: bitsPerPixel, handle: size, width, height, lineBytes, memory };
  }
  destroyBuffer({ handle, memory }: DumbBuffer): void {
    memory[Symbol.dispose]();
    this.ping();
    this.#used -= handle;
  }
  show(_crtc: number, _connector: number, { width, height }: DrmMode, bitsPerPixel: number): void {
    this.ping();
    this.settings++;
    this.shown = `${width}x${height}-${bitsPerPixel}`;
  }
  dirty(): void {
    this.ping();
  }
  [Symbol.dispose](): void {
    this.closed = true;
  }
}

const MiB = 1 << 20;
const openOn = (card: FakeCard): LocalDisplay => LocalDisplay.open([vga], () => card);

test('a card that shows a mode only when it is set again is told twice', async () => {
  for (const settings of [undefined, 2]) {
    const card = new FakeCard(8 * MiB, [mode(1280, 1024)]);
    await using display = LocalDisplay.open([{ ...vga, ...(settings && { settings }) }], () => card);
    await display.configure(picture(1280, 1024));
    assert.equal(card.settings, settings ?? 1);
  }
});

test('a mode the memory of the card cannot hold: fewer colours, then fewer pixels', async () => {
  const modes = [mode(640, 480), mode(1280, 1024)];
  const cases = [
    [8 * MiB, '1280x1024-32'],
    [4 * MiB, '1280x1024-16'],
    [2 * MiB, '640x480-32'],
    [1 * MiB, '640x480-16'],
  ] as const;
  for (const [memoryBytes, shown] of cases) {
    const card = new FakeCard(memoryBytes, modes);
    await using display = openOn(card);
    await display.configure(picture(1280, 1024));
    assert.equal(card.shown, shown);
    await display.configure(picture(1280, 1024)); // what was taken before is free again
    assert.equal(card.shown, shown);
  }
});

test('a card that holds none of its modes says so, with its name and what was wanted', async () => {
  await using display = openOn(new FakeCard(1000, [mode(640, 480)]));
  await assert.rejects(display.configure(picture(1280, 1024)), {
    message: `VGA bochs-drm 1234:1111 cannot show 1280x1024 in any of its modes: ${new SystemError('buffer for the screen', ENOMEM).message}`,
  });
});

test('a card without the mode: the smallest that holds the picture, or the picture is made smaller', async () => {
  const card = new FakeCard(64 * MiB, [mode(1920, 1200), mode(1400, 1050), mode(640, 480)]);
  await using display = openOn(card);
  const larger = await display.configure(picture(1280, 1024));
  assert.deepEqual(larger, {
    mode: '1400x1050 at 60 Hz',
    conversion: 'BGR565 to XRGB8888, in the middle of 1400x1050',
  });
  await using small = openOn(new FakeCard(64 * MiB, [mode(640, 480)]));
  assert.match((await small.configure(picture(1280, 1024))).conversion, /scaled to 600x480 in 640x480/);
});

test('no card, a card without a screen, one that another program has: each in words', () => {
  const unplugged = new FakeCard(MiB, [mode(640, 480)]);
  unplugged.connected = false;
  const taken = (): Kms => {
    throw new SystemError('take /dev/dri/card0', EBUSY);
  };
  assert.throws(() => LocalDisplay.open([]), /there is no display card with a driver that sets modes/);
  assert.throws(() => openOn(unplugged), /no screen is plugged into VGA bochs-drm 1234:1111/);
  assert.ok(unplugged.closed);
  assert.throws(() => LocalDisplay.open([vga], taken), /another program, .*, has VGA bochs-drm 1234:1111/);
});

test('the second card is used when the first cannot be', () => {
  const broken = new FakeCard(MiB, [mode(640, 480)]);
  broken.pulled = true;
  const other = { path: '/dev/dri/card1', typeName: 'VGA cirrus' };
  const good = new FakeCard(MiB, [mode(640, 480)]);
  const opened = LocalDisplay.open([vga, other], path => (path === vga.path ? broken : good));
  assert.equal(opened.typeName, 'VGA cirrus');
});

test('a card that is pulled out is noticed, by drawing and by asking, and let go of without an error', async () => {
  const card = new FakeCard(8 * MiB, [mode(640, 480)]);
  const display = openOn(card);
  const of = picture(640, 480);
  await display.configure(of);
  card.pulled = true;
  const bytes = Buffer.alloc(of.lineBytes * of.height);
  await assert.rejects(display.draw(bytes, [{ x: 0, y: 0, width: 8, height: 8 }]), { code: 'ENODEV' });
  await assert.rejects(display.check(), { code: 'ENODEV' });
  await assert.rejects(display.configure(of), { code: 'ENODEV' });
  await display[Symbol.asyncDispose]();
  assert.ok(card.closed);
});
