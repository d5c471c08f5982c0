// All that is parsed, with bytes changed and at random, under ASan and UBSan: jobs, plans, claims and whole streams.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { reasons } from '#wire/frames.ts';
import { encodePlan } from '#wire/plan.ts';
import { answers, type Kind } from './test/harness.ts';
import { imagePages, mailboxSignature, parkFrame, patternPage, streamOf } from './test/image.ts';
import { everyStep, source, target } from './test/jobs.ts';

/** Bytes of `base` with a few changed, cut off, or repeated. */
const mutations = (base: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .record({
      changes: fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 6 }),
      words: fc.array(fc.tuple(fc.nat(base.length - 1), fc.constantFrom(0, 1, 0x7fffffff, 0xffffffff)), {
        maxLength: 2,
      }),
      end: fc.option(fc.nat(base.length), { freq: 4 }),
      doubled: fc.boolean(),
    })
    .map(({ changes, words, end, doubled }) => {
      const bytes = Buffer.from(base);
      for (const [at, value] of changes) bytes[at] = value;
      for (const [at, value] of words) if (at + 4 <= bytes.length) bytes.writeUInt32LE(value, at);
      const cut = bytes.subarray(0, end ?? bytes.length);
      return doubled ? Buffer.concat([cut, base]) : cut;
    });

test('changed and random bytes: never a finding of ASan or UBSan', () => {
  const plan = encodePlan(everyStep);
  const record: fc.Arbitrary<readonly [Kind, Uint8Array]> = fc.oneof(
    mutations(source).map(bytes => ['J', bytes] as const),
    mutations(target).map(bytes => ['J', bytes] as const),
    mutations(plan).map(bytes => ['P', bytes] as const),
    fc.uint8Array({ maxLength: 200 }).map(bytes => ['J', bytes] as const),
    fc.uint8Array({ maxLength: 200 }).map(bytes => ['P', bytes] as const),
    fc.uint8Array({ maxLength: 300 }).map(bytes => ['C', bytes] as const),
  );
  const until = performance.now() + 4000;
  let count = 0;
  for (; performance.now() < until; count += 500) answers(fc.sample(record, 500));
  assert.ok(count > 0);
});

test('changed and random streams: never a finding, and never whole when it is not', () => {
  const token = Buffer.alloc(32, 0x5a);
  const mailbox = Buffer.concat([mailboxSignature(token), Buffer.alloc(4096 - 32)]);
  const pfns = [0x10, 0x1f, 0x100, 0x1ff];
  const data = [patternPage(1), mailbox, Buffer.alloc(4096), patternPage(2)];
  const pages = imagePages(pfns, data);
  // Two pages are parked first; one of them the image refers to.
  const parked = parkFrame([
    [7, patternPage(1)],
    [0, patternPage(3)],
  ]);
  const stream = Buffer.concat([parked, ...streamOf([...pages.slice(0, 2), 7, ...pages.slice(3)], 3)]);
  const withGivenUp = Buffer.concat(streamOf(imagePages(pfns, data, new Set(), new Set([2])), 3));
  const [whole, shorter] = answers([
    ['T', stream],
    ['T', withGivenUp],
  ]);
  const [complete, ...rest] = whole ?? [];
  assert.deepEqual(rest, [reasons.none, 6 * 4096, 6]);
  // What a changed byte can make of it: a page frame that A gave up. The kernel must be told that there is one page less.
  assert.deepEqual(shorter, [complete, reasons.none, 5 * 4096, 5]);
  const beginnings = stream.subarray(0, parked.length + 4096 + 200);
  const record = fc.oneof(
    mutations(stream).map(bytes => ['T', bytes] as const),
    mutations(beginnings).map(
      bytes => ['T', Buffer.concat([bytes, stream.subarray(beginnings.length)])] as const,
    ),
    fc.uint8Array({ maxLength: 300 }).map(bytes => ['T', bytes] as const),
  );
  const until = performance.now() + 4000;
  while (performance.now() < until) {
    for (const [event, why, bytes, count] of answers(fc.sample(record, 200))) {
      if (event === complete) assert.equal(bytes, (count ?? 0) * 4096);
      else assert.notEqual(why, reasons.none); // whoever is refused is told why
    }
  }
});
