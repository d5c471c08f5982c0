// B's helper alone on a fake kernel, for tests of what it does with a stream.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { listenTcp } from '#linux/tcp-listener.ts';
import { encodeFrame, type Frame, FrameReader } from '#wire/frame.ts';
import { frameTypes, pageBytes, type ReasonName, reasons } from '#wire/frames.ts';
import { encodeTargetJob, type TargetJob } from '#wire/job.ts';
import { compileFakeFrozen, temporaryFolder } from './compile.ts';
import { type FakeSettings, logOf, startFake } from './helpers.ts';
import { imagePages, mailboxSignature, patternPage } from './image.ts';
import { freePort } from './ports.ts';

export const root = temporaryFolder();
export const program = compileFakeFrozen(root);
export const token = new Uint8Array(32).fill(0x31);
export const job: TargetJob = {
  epoch: 7,
  token,
  plain: true, // what B does with a stream is the same; test/world.ts encrypts it where the kernel can
  tls: undefined,
  sourceAddress: '127.0.0.1',
  timeouts: { stallMs: 400, readyMs: 3000, claimMs: 1, repeatMs: 1 },
  faults: [],
  ramRanges: [
    { startPfn: 0x10, endPfn: 0x20 },
    { startPfn: 0x100, endPfn: 0x1000 },
  ],
  e820Checksum: 0xdeadbeef,
  physicalPages: 0x1_2345_6789,
  parkPages: 4,
  memory: [],
  tagSeed: new Uint8Array(),
  makeRoom: [],
};
export const empty = Buffer.alloc(pageBytes);
export const mailboxPage = Buffer.concat([mailboxSignature(token), Buffer.alloc(pageBytes - 32)]);
export const begin = encodeFrame(frameTypes.begin.number, 7n, token);
export const go = encodeFrame(frameTypes.go.number, 7n);
export const end = (count: number): Buffer => encodeFrame(frameTypes.end.number, BigInt(count));

/** An image of a few pages: a pattern, the mailbox, an empty one, a pattern. */
export const frames = [0x10, 0x1f, 0x100, 0xfff];
export const pages = imagePages(frames, [patternPage(1), mailboxPage, empty, patternPage(2)]);

/** However it was closed: a reset is as good as an end. */
export const closed = (socket: Socket): Promise<void> =>
  new Promise(resolve => socket.once('close', () => resolve()));

/** A helper that waits, a connection to it, and what comes back on it. */
export async function target(more: Partial<FakeSettings> = {}, changes: Partial<TargetJob> = {}) {
  const folder = mkdtempSync(join(root, 'run-'));
  const port = await freePort();
  const listener = listenTcp('127.0.0.1', port);
  const helper = startFake('B', {
    program,
    folder,
    job: encodeTargetJob({ ...job, ...changes }),
    streamFd: listener.fd,
    ...more,
  });
  listener[Symbol.dispose]();
  await helper.told;
  const open = (): { socket: Socket; next: () => Promise<Frame | undefined> } => {
    const socket = connect(port, '127.0.0.1');
    const reader = new FrameReader(4096);
    const got: Frame[] = [];
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      got.push(...reader.push(chunk));
      socket.emit('frame');
    });
    const next = async (): Promise<Frame | undefined> => {
      const over = closed(socket);
      while (got.length === 0 && !socket.destroyed)
        await Promise.race([new Promise(resolve => socket.once('frame', resolve)), over]);
      return got.shift();
    };
    return { socket, next };
  };
  return { folder, port, helper, open, [Symbol.asyncDispose]: () => helper[Symbol.asyncDispose]() };
}

/** One test: these bytes behind BEGIN are refused for this reason, and nothing is frozen or restored. */
export function refuses(
  what: string,
  bytes: Buffer,
  reason: ReasonName,
  text: RegExp,
  changes: Partial<TargetJob> = {},
): void {
  test(`refused by name: ${what}`, async () => {
    await using b = await target({}, changes);
    const { socket, next } = b.open();
    socket.write(Buffer.concat([begin, bytes]));
    let answer = await next();
    while (answer?.type === frameTypes.had.number) answer = await next();
    assert.equal(answer?.type, frameTypes.failed.number);
    assert.equal(Number(answer.arg), reasons[reason]);
    assert.match(answer.payload.toString(), text);
    socket.end();
    const report = await b.helper.report;
    assert.deepEqual([report.outcome, report.reason], ['discarded', reason]);
    assert.match(report.text, text);
    assert.deepEqual(logOf(b.folder), []); // it was never frozen, nothing was restored
  });
}
