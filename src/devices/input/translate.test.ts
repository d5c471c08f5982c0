// What the stubs get of a real device: keys and movements that make sense, and no key that stays down.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { INPUT } from '#linux/abi-input.ts';
import type { InputEvent } from '#wire/input-events.ts';
import { HeldKeys } from './held-keys.ts';
import { type AbsolutePointer, key, keyboardCodes, makesSense, Translator } from './translate.ts';

const { EV_KEY, EV_REL, EV_ABS, EV_SYN, REL_X, REL_Y, ABS_X, ABS_Y, BTN_LEFT, BTN_TOUCH } = INPUT;
const [a, b, shift] = [30, 48, 42];
const report: InputEvent = { type: EV_SYN, code: INPUT.SYN_REPORT, value: 0 };
const dropped: InputEvent = { type: EV_SYN, code: INPUT.SYN_DROPPED, value: 0 };
const event = (type: number, code: number, value: number): InputEvent => ({ type, code, value });
const tablet: AbsolutePointer = {
  x: { minimum: 0, maximum: 32767, value: 0 },
  y: { minimum: 0, maximum: 32767, value: 0 },
  width: 1280,
  height: 1024,
  touchpad: false,
  touchPresses: false,
};

test('the stub keyboard has letters and media keys, but no button of a mouse or joystick', () => {
  for (const code of [1, a, 113, 240, 0x160, 0x1d0]) assert.ok(keyboardCodes.includes(code));
  for (const code of [0, 0x110, 0x120, 0x130, 0x14a, 0x220, 0x2c0]) assert.ok(!keyboardCodes.includes(code));
});

test('keys and their repeats come frame by frame, scan codes do not', () => {
  const translator = new Translator();
  const { frames } = translator.push([
    ...[event(4, 4, a), key(a, 1), report],
    ...[event(EV_KEY, a, 2), report],
    ...[key(a, 0)],
  ]);
  assert.deepEqual(frames, [[key(a, 1)], [key(a, 2)]]);
  assert.deepEqual(translator.push([report]).frames, [[key(a, 0)]]);
});

test('lost events: half a frame is thrown away, then the keys are set right', () => {
  const translator = new Translator();
  translator.push([key(a, 1), key(shift, 1), report]);
  const { frames, lost } = translator.push([key(a, 0), dropped, key(b, 1), report]);
  assert.deepEqual([frames, lost], [[], true]);
  assert.deepEqual(translator.resync([shift, b]), [key(a, 0), key(b, 1)]);
  assert.deepEqual(translator.resync([shift, b]), []);
});

test('a tablet becomes movements over the size of the screen, no part of a pixel lost', () => {
  const translator = new Translator(tablet);
  const moves: InputEvent[] = [];
  for (let x = 0; x <= 32767; x += 7) {
    for (const frame of translator.push([event(EV_ABS, ABS_X, x), report]).frames) moves.push(...frame);
  }
  assert.ok(moves.every(each => each.type === EV_REL && each.code === REL_X));
  assert.equal(
    moves.reduce((sum, each) => sum + each.value, 0),
    1279,
  );
  const click = translator.push([event(EV_ABS, ABS_Y, 32767), key(BTN_LEFT, 1), report]);
  assert.deepEqual(click.frames, [[event(EV_REL, REL_Y, 1024), key(BTN_LEFT, 1)]]);
});

test('a touch screen presses, a touchpad only moves', () => {
  const down = [key(BTN_TOUCH, 1), event(EV_ABS, ABS_X, 16384), report];
  const screen = new Translator({ ...tablet, touchPresses: true });
  assert.deepEqual(screen.push(down).frames, [[event(EV_REL, REL_X, 640), key(BTN_LEFT, 1)]]);
  assert.deepEqual(screen.push([key(BTN_TOUCH, 0), report]).frames, [[key(BTN_LEFT, 0)]]);
  const pad = new Translator({ ...tablet, touchpad: true });
  assert.deepEqual(pad.push(down).frames, []);
  const moved = pad.push([event(EV_ABS, ABS_X, 16384 + 2560), report]);
  assert.deepEqual(moved.frames, [[event(EV_REL, REL_X, 100)]]);
  assert.deepEqual(pad.push([key(BTN_TOUCH, 0), report]).frames, []);
  assert.deepEqual(pad.push(down).frames, []);
});

const wild = fc.record({
  type: fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.nat(0xffff)),
  code: fc.oneof(fc.nat(0x300), fc.nat(0xffff)),
  value: fc.oneof(fc.constantFrom(0, 1, 2), fc.integer()),
});

test('whatever a device sends, only what makes sense comes out', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(wild, fc.constant(report))),
      fc.option(fc.constant(tablet)),
      (events, pointer) => {
        const translator = new Translator(pointer ?? undefined);
        const frames = [...translator.push(events).frames, translator.resync([a, 0x14a, 0x2ff])];
        for (const frame of frames)
          for (const each of frame) assert.ok(makesSense(each), JSON.stringify(each));
      },
    ),
  );
});

test('a key held by two is up when both let go; who is gone lets go', () => {
  const held = new HeldKeys();
  assert.deepEqual(held.merge('one', [key(shift, 1)]), [key(shift, 1)]);
  assert.deepEqual(held.merge('two', [key(shift, 1), key(a, 1)]), [key(a, 1)]);
  assert.deepEqual(held.merge('one', [key(shift, 0), key(a, 0)]), []);
  assert.deepEqual(held.codes, [shift, a]);
  assert.deepEqual(held.gone('two'), [key(shift, 0), key(a, 0)]);
  assert.deepEqual(held.codes, []);
});

test('presses and releases of every key alternate on the stub, and none stays down', () => {
  const source = fc.constantFrom('one', 'two', 'three');
  const step = fc.tuple(source, fc.constantFrom(a, b, shift), fc.constantFrom<0 | 1>(0, 1));
  fc.assert(
    fc.property(fc.array(step), steps => {
      const held = new HeldKeys();
      const seen = steps.flatMap(([who, code, value]) => held.merge(who, [key(code, value)]));
      for (const who of ['one', 'two', 'three']) seen.push(...held.gone(who));
      for (const code of [a, b, shift]) {
        const values = seen.filter(each => each.code === code).map(each => each.value);
        assert.ok(values.every((value, index) => value === (index + 1) % 2));
        assert.equal(values.length % 2, 0);
      }
    }),
  );
});
