// Pages that B holds for A: an image made of them and of what comes later, and numbers that are not to be believed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeFrame } from '#wire/frame.ts';
import { frameTypes, pageBytes } from '#wire/frames.ts';
import { packedFrame, pagesFrame, parkFrame, patternPage, streamOf } from './test/image.ts';
import { begin, empty, go, mailboxPage, pages, refuses, target } from './test/lone-target.ts';

test('parked pages take the place of pages of the image, byte for byte', async () => {
  await using b = await target();
  const { socket, next } = b.open();
  const filler = patternPage(99);
  const parked = [
    parkFrame([
      [3, patternPage(8)],
      [0, patternPage(2)],
    ]),
    parkFrame([]), // a sign of life
    parkFrame([[3, patternPage(1)]]), // in place of what was there
    parkFrame([[1, filler]]), // never used
  ];
  const image = [...pages.slice(0, 2), 3, mailboxPage, empty, 0];
  const [first = empty, ...others] = streamOf(image, 4);
  const [one = empty, ...more] = parked;
  socket.write(Buffer.concat([begin, packedFrame(one), ...more, packedFrame(first), ...others]));
  assert.equal((await next())?.type, frameTypes.ready.number);
  socket.write(go);
  assert.equal(await b.helper.ended, 0);
  const written = readFileSync(join(b.folder, 'restored'));
  for (const index of [1, 2, 4, 5])
    assert.deepEqual(
      written.subarray(index * pageBytes, (index + 1) * pageBytes),
      pages[index],
      `page ${index}`,
    );
  const told = b.helper.frames.map(frame => frame.payload.readBigUInt64LE(16));
  assert.ok(told.every(count => count <= 3n));
});

function changed(frame: Buffer, offset: number, value: number): Buffer {
  frame.writeUInt32LE(value, offset);
  return frame;
}
/** One page is in both bitmaps, another in none: the length is right. */
function bothWays(): Buffer {
  const frame = pagesFrame(0, [...pages.slice(0, 3), 1]);
  return changed(frame, 16 + 8, 0b1011);
}
const bad: [what: string, bytes: Buffer, text: RegExp][] = [
  [
    'a park frame without a prologue',
    encodeFrame(frameTypes.park.number, 1n, Buffer.alloc(7)),
    /park frame is/,
  ],
  ['a park frame of 257 pages', changed(parkFrame([]), 16, 257), /park frame has/],
  ['a park frame of 2^32-1 pages', changed(parkFrame([]), 16, 0xffffffff), /park frame has/],
  ['a park frame that lacks a page', changed(parkFrame([[0, empty]]), 16, 2), /park frame has/],
  ['a slot behind the last', parkFrame([[4, pages[2] ?? empty]]), /not promised/],
  ['a slot far away', parkFrame([[0xffffffff, pages[2] ?? empty]]), /not promised/],
  ['a page that was never parked', pagesFrame(0, [...pages.slice(0, 2), 2]), /never parked/],
  ['a slot that was never promised', pagesFrame(0, [...pages.slice(0, 2), 0xffffffff]), /never parked/],
  [
    'the header by reference',
    Buffer.concat([parkFrame([[0, pages[0] ?? empty]]), pagesFrame(0, [0])]),
    /a list/,
  ],
  [
    'page frame numbers by reference',
    Buffer.concat([parkFrame([[0, pages[1] ?? empty]]), pagesFrame(0, [...pages.slice(0, 1), 0])]),
    /a list/,
  ],
  ['a page both ways', changed(pagesFrame(0, [...pages.slice(0, 2), 1, 1]), 24, 0b1101), /wrong length/],
  ['a page both ways, of the right length', bothWays(), /contradict/],
  ['a bit behind the count', changed(pagesFrame(0, pages), 16, 5), /contradict/],
  [
    'a page parked behind the first of the image',
    Buffer.concat([pagesFrame(0, pages.slice(0, 3)), parkFrame([])]),
    /behind/,
  ],
];
const whole = parkFrame([[0, patternPage(1)]]);
const packedOne = packedFrame(whole);
bad.push(
  [
    'a packed frame of a few bytes',
    encodeFrame(frameTypes.packed.number, 0n, Buffer.alloc(7)),
    /packed frame is/,
  ],
  [
    'a packed frame of nothing',
    encodeFrame(frameTypes.packed.number, 0n, Buffer.alloc(8)),
    /packed frame is/,
  ],
  ['a packed frame of what is not packed', packedFrame(go), /packed frame is/],
  ['a packed frame in a packed frame', packedFrame(packedOne), /packed frame is/],
  ['a packed frame of a length that no frame has', packedFrame(whole, 0xffffffff), /packed frame is/],
  ['a packed frame that holds less than it says', packedFrame(whole, 4200), /does not hold/],
  ['a packed frame that holds more than it says', packedFrame(whole, 100), /does not hold/],
  [
    'a packed frame that reaches behind its end',
    encodeFrame(frameTypes.packed.number, 1n, packedOne.subarray(16, -10)),
    /does not hold/,
  ],
  ['a packed park frame that is malformed', packedFrame(changed(parkFrame([]), 16, 257)), /park frame has/],
);
for (const [what, bytes, text] of bad) refuses(what, bytes, 'protocol', text);
refuses(
  'the mailbox page by reference',
  Buffer.concat([parkFrame([[0, mailboxPage]]), ...streamOf([...pages.slice(0, 3), 0, ...pages.slice(4)])]),
  'badImage',
  /mailbox page came by reference/,
);
