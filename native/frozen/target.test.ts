// B's side on a fake kernel: what it writes for a good stream, and what it says to a bad one. Under ASan and UBSan.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { listenTcp } from '#linux/tcp-listener.ts';
import { encodeFrame } from '#wire/frame.ts';
import { frameTypes, maxPayloadBytes, pageBytes, type ReasonName, reasons } from '#wire/frames.ts';
import { writeFileStep } from '#wire/plan.ts';
import { logOf, startFake } from './test/helpers.ts';
import { imagePages, mailboxSignature, pagesFrame, patternPage, streamOf } from './test/image.ts';
import {
  begin,
  closed,
  empty,
  end,
  frames,
  go,
  job,
  mailboxPage,
  pages,
  program,
  refuses,
  root,
  target,
  token,
} from './test/lone-target.ts';
import { freePort } from './test/ports.ts';

/** The image of lone-target.ts. */
const good = streamOf(pages);

test('a good image is written byte for byte, patched, and restored on GO', async () => {
  const card = join(root, 'config-of-a-card');
  writeFileSync(card, 'answers');
  const makeRoom = [
    writeFileStep('a card that is not there', join(root, 'no-card'), 'x', { mayFail: true }),
    writeFileStep('a card', card, 'silence'),
  ];
  await using b = await target({}, { makeRoom });
  const { socket, next } = b.open();
  socket.write(Buffer.concat([begin, ...streamOf(pages, 3)]));
  assert.equal((await next())?.type, frameTypes.ready.number);
  assert.deepEqual(logOf(b.folder), ['B freeze']); // frozen before it says READY, restored only on GO
  assert.equal(readFileSync(card, 'utf8'), 'answers'); // until there is no way back
  socket.write(go);
  assert.equal(await b.helper.ended, 0);
  assert.deepEqual(logOf(b.folder), ['B freeze', 'B restore']);
  assert.equal(readFileSync(card, 'utf8'), 'silence');
  const written = readFileSync(join(b.folder, 'restored'));
  const mailbox = Buffer.from(written.subarray(3 * pageBytes, 4 * pageBytes));
  const expected = Buffer.concat(pages);
  expected.writeBigUInt64LE(0xdeadbeefn, 32); // B's e820 checksum in place of A's
  expected.writeBigUInt64LE(0x1_2345_6789n, 400); // B's number of pages
  expected.set(mailbox, 3 * pageBytes);
  assert.deepEqual(written, expected);
  assert.deepEqual(mailbox.subarray(0, 32), mailboxSignature(token));
  assert.equal(mailbox.readUInt32LE(32), 1); // "you are on B"
  assert.ok(mailbox.subarray(40, 104).some(byte => byte !== 0)); // randomness of B's own
  assert.ok(mailbox.subarray(104).every(byte => byte === 0)); // the rest of the page is the OS's
});

test('an image with more page frames than one list page holds, in frames of 256 pages', async () => {
  await using b = await target();
  const many = Array.from({ length: 1100 }, (_, index) => 0x100 + index);
  const data = many.map((_, index) => (index === 600 ? mailboxPage : index % 3 ? patternPage(index) : empty));
  const image = imagePages(many, data);
  assert.equal(image.length, 1 + 3 + 1100);
  const { socket, next } = b.open();
  socket.write(Buffer.concat([begin, ...streamOf(image), go]));
  assert.equal((await next())?.type, frameTypes.ready.number);
  assert.equal(await b.helper.ended, 0);
  const written = readFileSync(join(b.folder, 'restored'));
  const untouched = [1, 2, 3, 4, 5, 6, 605, 1103];
  assert.equal(written.length, image.length * pageBytes);
  for (const index of untouched)
    assert.deepEqual(
      written.subarray(index * pageBytes, (index + 1) * pageBytes),
      image[index],
      `page ${index}`,
    );
});

test('an image of a newer kernel, which leaves pages of zeros out, reaches an older one as it would have made it', async () => {
  const list = Array.from({ length: 1100 }, (_, index) => 0x100 + index);
  const isMarked = (index: number): boolean =>
    index !== 600 && (index < 3 || index % 5 === 0 || (index > 500 && index < 530) || index > 1090);
  const page = (index: number): Buffer => (index === 600 ? mailboxPage : patternPage(index));
  const marked = new Set(list.keys().filter(isMarked));
  const data = [...list.keys()].filter(index => !marked.has(index)).map(page);
  await using b = await target();
  const { socket, next } = b.open();
  socket.write(Buffer.concat([begin, ...streamOf(imagePages(list, data, marked)), go]));
  assert.equal((await next())?.type, frameTypes.ready.number);
  assert.equal(await b.helper.ended, 0);
  const expected = Buffer.concat(
    imagePages(
      list,
      [...list.keys()].map(index => (marked.has(index) ? empty : page(index))),
    ),
  );
  const written = readFileSync(join(b.folder, 'restored'));
  expected.writeBigUInt64LE(0xdeadbeefn, 32);
  expected.writeBigUInt64LE(0x1_2345_6789n, 400);
  const mailboxAt = (1 + 3 + 600) * pageBytes;
  expected.set(written.subarray(mailboxAt, mailboxAt + pageBytes), mailboxAt);
  assert.equal(written.readUInt32LE(mailboxAt + 32), 1);
  assert.deepEqual(written, expected);
});

const malformed = (offset: number, value: number): Buffer => {
  const frame = pagesFrame(0, pages);
  frame.writeUInt32LE(value, offset);
  return frame;
};
const headerWith = (offset: number, value: bigint): Buffer => {
  const header = Buffer.from(pages[0] ?? empty);
  header.writeBigUInt64LE(value, offset);
  return pagesFrame(0, [header, ...pages.slice(1)]);
};
const withFrames = (list: readonly number[]): Buffer =>
  Buffer.concat(streamOf(imagePages(list, pages.slice(2))));
const bad: [what: string, bytes: Buffer, reason: ReasonName, text: RegExp][] = [
  [
    'a page frame outside of RAM',
    withFrames([0x10, 0x20, 0x100, 0x101]),
    'frameOutsideRam',
    /0x20 is not RAM/,
  ],
  ['the first frame behind RAM', withFrames([0x10, 0x1f, 0x100, 0x1000]), 'frameOutsideRam', /0x1000 is not/],
  [
    'an empty page outside of RAM',
    Buffer.concat(streamOf(imagePages([0x10, 0x20, 0x100, 0x101], pages.slice(3), new Set([1])))),
    'frameOutsideRam',
    /0x20 is not RAM/,
  ],
  [
    'more marks than left out',
    Buffer.concat(streamOf(imagePages(frames, pages.slice(2, 5), new Set([0, 3])))),
    'badImage',
    /more pages/,
  ],
  [
    'the mailbox in a frame that was given up',
    Buffer.concat(
      streamOf(
        imagePages(
          [0x10, 0x11, 0x12, 0x13],
          [mailboxPage, patternPage(1), empty, patternPage(2)],
          new Set(),
          new Set([0]),
        ),
      ),
    ),
    'badImage',
    /mailbox/,
  ],
  ['page frame 0', withFrames([0, 0x10, 0x11, 0x12]), 'frameOutsideRam', /0x0 is not RAM/],
  ['page frames that go back', withFrames([0x10, 0x12, 0x11, 0x13]), 'badImage', /not ascending/],
  ['a page frame twice', withFrames([0x10, 0x11, 0x11, 0x12]), 'badImage', /not ascending/],
  ['more pages than announced', Buffer.concat([pagesFrame(0, [...pages, empty])]), 'badImage', /more pages/],
  ['END too early', Buffer.concat([pagesFrame(0, pages.slice(0, 4)), end(4)]), 'badImage', /not whole/],
  ['END with another number', Buffer.concat([pagesFrame(0, pages), end(7)]), 'badImage', /not whole/],
  ['END and nothing else', end(0), 'badImage', /not whole/],
  [
    'no mailbox page',
    Buffer.concat(streamOf(imagePages(frames, [patternPage(1), patternPage(3), empty, patternPage(2)]))),
    'badImage',
    /mailbox/,
  ],
  [
    'two mailbox pages',
    Buffer.concat(streamOf(imagePages(frames, [mailboxPage, mailboxPage, empty, patternPage(2)]))),
    'badImage',
    /mailbox/,
  ],
  ['an empty header', pagesFrame(0, [empty, ...pages.slice(1)]), 'badImage', /empty header/],
  ['a header without pages', headerWith(416, 0n), 'badImage', /contradicts/],
  ['fewer page frames than announced', headerWith(416, 5n), 'badImage', /contradicts/],
  [
    'a list that ends early',
    Buffer.concat(
      [[0x10, 0x11], frames].map((list, part) =>
        part === 0
          ? pagesFrame(0, [pages[0] ?? empty, imagePages(list, pages.slice(2, 4))[1] ?? empty])
          : pagesFrame(2, pages.slice(2)),
      ),
    ),
    'badImage',
    /shorter than announced/,
  ],
  ['a header of more data than pages', headerWith(416, 5000n), 'badImage', /contradicts/],
  ['a header of 2^60 pages', headerWith(424, 2n ** 60n), 'badImage', /contradicts/],
  ['a count of 0', malformed(16, 0), 'protocol', /pages frame/],
  ['a count of 257', malformed(16, 257), 'protocol', /pages frame/],
  [
    'a frame that is replayed',
    Buffer.concat([pagesFrame(0, pages.slice(0, 3)), pagesFrame(0, pages.slice(0, 3))]),
    'protocol',
    /pages frame/,
  ],
  [
    'frames in another order',
    Buffer.concat([pagesFrame(3, pages.slice(3)), pagesFrame(0, pages.slice(0, 3))]),
    'protocol',
    /pages frame/,
  ],
  ['a page index that is not next', malformed(8, 1), 'protocol', /pages frame/],
  ['a bitmap that does not fit the length', malformed(24, 0xffffffff), 'protocol', /wrong length/],
  ['a frame over the limit', malformed(4, maxPayloadBytes + 1), 'protocol', /frame header/],
  ['another magic', malformed(0, 0), 'protocol', /frame header/],
  ['a frame that has no place here', go, 'protocol', /unexpected/],
  ['an unknown frame', encodeFrame(200, 0n, Buffer.alloc(100)), 'protocol', /unexpected/],
  ['garbage', Buffer.alloc(10_000, 'garbage'), 'protocol', /frame header/],
];

for (const [what, bytes, reason, text] of bad) refuses(what, bytes, reason, text);

test('a stream that breaks off, one that stands still, and ABORT', async () => {
  const cases: [bytes: Buffer, hangUp: boolean, reason: ReasonName][] = [
    [Buffer.concat(good).subarray(0, 9000), true, 'linkLost'],
    [Buffer.concat(good).subarray(0, 16), true, 'linkLost'],
    [pagesFrame(0, pages.slice(0, 3)), true, 'linkLost'],
    [pagesFrame(0, pages.slice(0, 3)), false, 'stalled'],
    [encodeFrame(frameTypes.abort.number, 0n), false, 'aborted'],
    [
      Buffer.concat([pagesFrame(0, pages.slice(0, 3)), encodeFrame(frameTypes.abort.number, 0n)]),
      false,
      'aborted',
    ],
  ];
  for (const [bytes, hangUp, reason] of cases) {
    await using b = await target();
    const { socket } = b.open();
    socket.write(Buffer.concat([begin, bytes]));
    if (hangUp) socket.end();
    const report = await b.helper.report;
    assert.deepEqual([report.outcome, report.reason], ['discarded', reason]);
    assert.deepEqual(logOf(b.folder), []);
    socket.destroy();
  }
});

test('after READY: everything but GO of this epoch thaws B again', async () => {
  const cases: [bytes: Buffer | undefined, reason: ReasonName][] = [
    [encodeFrame(frameTypes.abort.number, 0n), 'aborted'],
    [encodeFrame(frameTypes.go.number, 6n), 'protocol'],
    [end(6), 'protocol'],
    [undefined, 'linkLost'],
  ];
  for (const [bytes, reason] of cases) {
    await using b = await target();
    const { socket, next } = b.open();
    socket.write(Buffer.concat([begin, ...good]));
    assert.equal((await next())?.type, frameTypes.ready.number);
    if (bytes) socket.write(bytes);
    else socket.destroy();
    const report = await b.helper.report;
    assert.deepEqual([report.outcome, report.reason], ['discarded', reason]);
    assert.deepEqual(logOf(b.folder), ['B freeze', 'B unfreeze']);
    socket.destroy();
  }
});

test('cancelled by its agent, before and while it receives', async () => {
  for (const bytes of [undefined, Buffer.concat([begin, pagesFrame(0, pages.slice(0, 3))])]) {
    await using b = await target();
    const { socket, next } = b.open();
    if (bytes) socket.write(bytes);
    b.helper.cancel();
    const report = await b.helper.report;
    assert.deepEqual([report.outcome, report.reason], ['discarded', 'cancelled']);
    if (bytes) {
      const answer = await next();
      if (answer) assert.equal(answer.type, frameTypes.cancel.number);
    }
    socket.destroy();
  }
});

test('a stranger does not take the place of the source', async () => {
  await using b = await target();
  const strangers = [
    Buffer.concat([encodeFrame(frameTypes.begin.number, 7n, new Uint8Array(32)), ...good]),
    encodeFrame(frameTypes.begin.number, 6n, token),
    encodeFrame(frameTypes.begin.number, 7n, token.subarray(0, 31)),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  ];
  for (const bytes of strangers) {
    const { socket } = b.open();
    socket.write(bytes);
    await closed(socket);
  }
  const { socket, next } = b.open();
  socket.write(Buffer.concat([begin, ...good]));
  assert.equal((await next())?.type, frameTypes.ready.number);
});

test('whoever connects from another address than that of A is hung up on at once, and holds up nobody', async () => {
  await using b = await target();
  for (let count = 0; count < 3; count++) {
    const silent = connect({ port: b.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    silent.on('error', () => {});
    await closed(silent); // long before one who is silent would be given up
    const knowing = connect({ port: b.port, host: '127.0.0.1', localAddress: '127.0.0.3' });
    knowing.on('error', () => {});
    knowing.write(Buffer.concat([begin, ...good]));
    await closed(knowing);
  }
  const { socket, next } = b.open();
  socket.write(Buffer.concat([begin, ...good]));
  assert.equal((await next())?.type, frameTypes.ready.number);
});

test('one who sends a byte now and then holds up nothing: neither cancel, nor the time limit, nor the end', async () => {
  const trickle = (socket: Socket, bytes: Buffer): NodeJS.Timeout => {
    let at = 0;
    return setInterval(() => socket.write(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1)), 100);
  };
  {
    await using b = await target({}, { timeouts: { ...job.timeouts, readyMs: 60_000 } });
    const { socket } = b.open();
    const timer = trickle(socket, begin);
    await new Promise(resolve => setTimeout(resolve, 300));
    b.helper.cancel();
    assert.equal((await b.helper.report).reason, 'cancelled');
    clearInterval(timer);
    socket.destroy();
  }
  {
    await using b = await target({}, { timeouts: { ...job.timeouts, readyMs: 700 } });
    const { socket } = b.open();
    const timer = trickle(socket, begin);
    assert.equal((await b.helper.report).reason, 'stalled');
    clearInterval(timer);
    socket.destroy();
  }
  await using b = await target();
  const { socket } = b.open();
  socket.write(Buffer.concat([begin, end(0)])); // refused; the rest of what it sends is not waited for
  const timer = trickle(socket, empty);
  assert.equal((await b.helper.report).reason, 'badImage');
  clearInterval(timer);
  socket.destroy();
});

test('out of memory, a kernel that refuses the image, nobody who begins', async () => {
  {
    await using b = await target({ failWrite: 4 });
    const { socket, next } = b.open();
    socket.write(Buffer.concat([begin, ...good]));
    assert.equal(Number((await next())?.arg), reasons.noMemory);
    socket.end();
    assert.equal((await b.helper.report).reason, 'noMemory');
  }
  {
    await using b = await target({ restoreFails: true });
    const { socket, next } = b.open();
    socket.write(Buffer.concat([begin, ...good, go]));
    assert.equal((await next())?.type, frameTypes.ready.number);
    assert.equal(Number((await next())?.arg), reasons.restore);
    socket.end();
    assert.equal((await b.helper.report).reason, 'restore');
    assert.deepEqual(logOf(b.folder), ['B freeze', 'B restore fails', 'B unfreeze']);
  }
  await using b = await target({}, { timeouts: { ...job.timeouts, readyMs: 300 } });
  assert.equal((await b.helper.report).reason, 'stalled');
});

test('a job that is none', async () => {
  const folder = mkdtempSync(join(root, 'run-'));
  const listener = listenTcp('127.0.0.1', await freePort());
  for (const bytes of [
    Buffer.alloc(100, 'x'),
    encodeFrame(frameTypes.jobTarget.number, 0n, Buffer.alloc(50, 1)),
    encodeFrame(frameTypes.jobSource.number, 0n),
  ]) {
    await using helper = startFake('B', { program, folder, job: bytes, streamFd: listener.fd });
    const report = await helper.report;
    assert.deepEqual([report.outcome, report.text], ['badJob', 'the job is malformed']);
  }
  listener[Symbol.dispose]();
});
