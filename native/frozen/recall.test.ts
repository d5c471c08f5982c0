// What B still has of A's memory is not sent: on two fake kernels, B's memory a file. Whatever B has, the image there is
// that of A, byte for byte; and tags that are not to be believed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeFrame } from '#wire/frame.ts';
import { frameTypes, hadBytes, pageBytes, tagBytes } from '#wire/frames.ts';
import { logOf, waitForFault, waitForLog } from './test/helpers.ts';
import { pagesFrame, parkFrame, patternPage, streamOf, tagsFrame } from './test/image.ts';
import * as lone from './test/lone-target.ts';
import { freeFrom, live, withMemory } from './test/memory.ts';
import { assertImage, move, needsRoot, pfns, runsAt } from './test/world.ts';

/** Frames of A that are looked at and not empty. */
const inUse = pfns
  .map((_, frame) => frame)
  .filter(frame => frame < freeFrom && live(frame).some(byte => byte !== 0));
const junk = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) => patternPage(500_000 + index));

test('what B has from an earlier visit is not sent, wherever it lies', needsRoot, async () => {
  const left = inUse.filter(frame => frame % 7 !== 0);
  // The other way round, some of it twice, between other things and empty pages.
  const bMemory = [
    ...junk(300),
    ...left.toReversed().map(live),
    ...left.slice(0, 50).map(live),
    ...Array.from({ length: 40 }, () => Buffer.alloc(pageBytes)),
    ...junk(20),
  ];
  await using world = await move(withMemory(live, { bMemory }));
  const report = await world.a.report;
  await waitForLog(world.folder, 'copy unfreeze');
  assert.deepEqual([report.outcome, report.reason], ['arrived', 'none']);
  assert.equal(report.recalledPages, left.length);
  const aheadPages = inUse.length - left.length;
  const tags = inUse.length * tagBytes;
  assert.ok(
    report.preCopyBytes < aheadPages * (pageBytes + 4) + tags + 10_000,
    `${report.preCopyBytes} bytes`,
  );
  assertImage(world);
  assert.deepEqual(runsAt(logOf(world.folder)), ['B']);
});

test('what the OS changes after it has asked is sent', needsRoot, async () => {
  // B has what A had once in these frames, not what the image will hold.
  const old = inUse.map(frame => patternPage(300_000 + frame));
  await using world = await move(withMemory(live, { bMemory: [...old, ...inUse.slice(0, 100).map(live)] }));
  const report = await world.a.report;
  assert.deepEqual([report.outcome, report.recalledPages], ['arrived', 100]);
  assertImage(world);
});

for (const [what, bFaults] of [
  ['B has none of it', []],
  ['B cannot read its memory', ['target.recall:error']],
] as const) {
  test(`everything is sent: ${what}`, needsRoot, async () => {
    const bMemory = what === 'B has none of it' ? junk(100) : inUse.map(live);
    await using world = await move(withMemory(live, { bMemory, bFaults }));
    const report = await world.a.report;
    assert.deepEqual([report.outcome, report.recalledPages], ['arrived', 0]);
    assert.ok(report.preCopyBytes > inUse.length * pageBytes);
    assertImage(world);
  });
}

test('B holds no more of its own pages than it has promised', needsRoot, async () => {
  await using world = await move(withMemory(live, { bMemory: inUse.map(live), parkPages: 100 }));
  const report = await world.a.report;
  assert.deepEqual([report.outcome, report.recalledPages], ['arrived', 100]);
  assertImage(world);
});

test('cancelled at B while it looks: nothing was stopped', needsRoot, async () => {
  const bMemory = inUse.map(live);
  await using world = await move(withMemory(live, { bMemory, bFaults: ['target.recall:delay=500'] }));
  await waitForFault(world.folder, 'target.recall');
  world.b.cancel();
  const report = await world.a.report;
  assert.deepEqual([report.outcome, report.reason, report.timesUs.freeze], ['returned', 'cancelled', 0]);
  assert.deepEqual([logOf(world.folder), world.ran()], [[], []]);
});

// --- B alone ---

const offering = { tagSeed: new Uint8Array(32).fill(9), memory: [{ offset: 0n, startPfn: 1, endPfn: 2 }] };
const tag = (byte: number): Buffer => Buffer.alloc(tagBytes, byte);
const last = tagsFrame(1, []);
const bad: [what: string, bytes: readonly Buffer[], text: RegExp][] = [
  ['half a tag', [encodeFrame(frameTypes.tags.number, 0n, Buffer.alloc(tagBytes - 1))], /malformed/],
  ['tags of other slots', [tagsFrame(1, [tag(1)])], /malformed/],
  ['tags of slots far away', [tagsFrame(2 ** 40, [tag(1)])], /malformed/],
  ['more tags than slots', [tagsFrame(0, [1, 2, 3, 4, 5].map(tag))], /more tags than slots/],
  [
    'more tags than slots, in two frames',
    [tagsFrame(0, [1, 2, 3].map(tag)), tagsFrame(3, [4, 5].map(tag))],
    /more tags/,
  ],
  ['tags behind the last of them', [tagsFrame(0, [tag(1)]), last, tagsFrame(1, [tag(2)])], /behind the last/],
  ['the last of them twice', [tagsFrame(0, [tag(1)]), last, last], /behind the last/],
  [
    'tags behind a parked page',
    [parkFrame([[0, patternPage(1)]]), tagsFrame(0, [tag(1)])],
    /behind the last/,
  ],
  [
    'tags behind the image',
    [pagesFrame(0, lone.pages.slice(0, 1)), tagsFrame(0, [tag(1)])],
    /behind the first/,
  ],
];
for (const [what, bytes, text] of bad) lone.refuses(what, Buffer.concat(bytes), 'protocol', text, offering);
lone.refuses('tags that nobody asked for', tagsFrame(0, [tag(1)]), 'protocol', /nobody asked/);

test('tags that are equal, empty or of nobody are answered, and their slots are as good as others', async () => {
  await using b = await lone.target({}, { ...offering, parkPages: 4 });
  const { socket, next } = b.open();
  socket.write(Buffer.concat([lone.begin, tagsFrame(0, [tag(1), tag(1), tag(0)]), tagsFrame(3, [])]));
  let answer = await next();
  while (answer?.type === frameTypes.had.number && answer.payload.length === 0) answer = await next();
  assert.deepEqual(
    [answer?.type, answer?.arg, answer?.payload],
    [frameTypes.had.number, 0n, Buffer.alloc(1)],
  );
  assert.ok(hadBytes > 1);
  const image = [...lone.pages.slice(0, 2), 1, ...lone.pages.slice(3)];
  socket.write(Buffer.concat([parkFrame([[1, lone.pages[2] ?? lone.empty]]), ...streamOf(image)]));
  assert.equal((await next())?.type, frameTypes.ready.number);
  socket.write(lone.go);
  assert.equal(await b.helper.ended, 0);
  const written = readFileSync(join(b.folder, 'restored'));
  assert.deepEqual(written.subarray(2 * pageBytes, 3 * pageBytes), lone.pages[2]);
});

test('a page that was named and not found is not there', async () => {
  await using b = await lone.target({}, { ...offering, parkPages: 4 });
  const { socket, next } = b.open();
  const image = streamOf([...lone.pages.slice(0, 2), 0, ...lone.pages.slice(3)]);
  socket.write(Buffer.concat([lone.begin, tagsFrame(0, [tag(1)]), tagsFrame(1, []), ...image]));
  let answer = await next();
  while (answer?.type === frameTypes.had.number) answer = await next();
  assert.equal(answer?.type, frameTypes.failed.number);
  assert.match(answer.payload.toString(), /never parked/);
  socket.end();
});
