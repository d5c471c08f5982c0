// Pictures: PPM in, colours out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asBgr565, decodePpm, isExact565 } from './picture.ts';

const ppm = (rgb: readonly number[]): Buffer =>
  Buffer.concat([Buffer.from('P6\n2 1\n255\n'), Buffer.from(rgb)]);

test('white and dark red as 65536 colours', () => {
  const picture = decodePpm(ppm([255, 255, 255, 0x84, 0, 0]));
  assert.deepEqual([picture.width, picture.height], [2, 1]);
  assert.deepEqual([...asBgr565(picture)], [0xff, 0xff, 0x10, 0x00]);
  assert.equal(isExact565(picture), true);
});

test('a colour between two of the 65536 is told apart', () => {
  assert.equal(isExact565(decodePpm(ppm([255, 255, 255, 0x85, 0, 0]))), false);
});

test('what is no picture is refused', () => {
  assert.throws(() => decodePpm(Buffer.from('P5 2 1 255 ')));
  assert.throws(() => decodePpm(ppm([1, 2, 3])));
});
