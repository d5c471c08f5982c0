// What the fuzzers have found in the frozen helper, one script each.
import { test } from 'node:test';
import { pageBytes, reasons } from '#wire/frames.ts';
import { imagePages, mailboxSignature, patternPage, streamOf } from '../../native/frozen/test/image.ts';
import {
  acknowledged,
  datagram,
  everyStep,
  feed,
  flood,
  found,
  frame,
  piece,
  script,
  token,
} from './helper-script.ts';

const freeze = piece('agent', 'round', frame('freeze', 0));
const strange = datagram('claim', 1, 6);
const failed = frame('failed', reasons.badImage, Buffer.alloc(390, 0x41));

test('a target that says why it refuses letter by letter does not hold the OS up', () => {
  feed('S', [script([found, freeze, piece('stream', 'end', failed, 14)])], 'linkLost');
});

test('claims without end do not keep the OS from going on', () => {
  feed('S', [
    script([found, freeze, piece('stream', 'pages', failed), piece('claims', 'frozen', strange, flood)]),
  ]);
});

test('claims without end do not keep a target from being heard', () => {
  const claims = piece('claims', 'frozen', strange, flood);
  feed('S', [script([found, freeze, claims, piece('stream', 'end', failed)])], 'badImage');
});

test('a target that is ahead of the source is named', () => {
  feed(
    'S',
    [
      script([found, freeze, piece('claims', 'pages', datagram('claim', 1))]),
      script([found, freeze, piece('stream', 'frozen', frame('ready', 1))]),
    ],
    'protocol',
  );
});

test('a target has no pages but those it was asked for, and says so once', () => {
  const had = (stage: 'start' | 'named' | 'round', slot: number, ...bytes: number[]) =>
    piece('stream', stage, frame('had', slot, Buffer.of(...bytes)));
  feed(
    'S',
    [
      script([had('start', 0, 1), freeze]),
      script([had('named', 1, 1), freeze]),
      script([had('named', 0, 1, 0), freeze]),
      script([found, had('round', 0, 1), freeze]),
    ],
    'protocol',
  );
  feed('S', [script([piece('stream', 'named', frame('had', 0))])], 'stalled');
});

test('nobody keeps a copy from asking by talking to it', () => {
  feed('C', [script([piece('claims', 'start', datagram('grant', 1, 6), flood)])]);
});

test('a list of page frames is looked at as far as the kernel reads it', () => {
  const mailbox = Buffer.concat([mailboxSignature(token), Buffer.alloc(pageBytes - 32)]);
  const inputs = [0x9000, 0x102, 0x11].map(pfn => {
    const pages = imagePages([0x100, 0x101], [mailbox, patternPage(1)]);
    pages[1]?.writeBigUInt64LE(BigInt(pfn), 16); // behind the two that the header announces
    const frames = [frame('begin', 7, token), ...streamOf(pages)];
    return script([
      ...frames.map(each => piece('stream', 'start', each)),
      piece('stream', 'end', frame('go', 7)),
    ]);
  });
  feed('T', inputs, 'badImage');
});

test('a target that restores has nothing to be cancelled any more, however long it makes room', () => {
  const mailbox = Buffer.concat([mailboxSignature(token), Buffer.alloc(pageBytes - 32)]);
  const frames = [
    frame('begin', 7, token),
    ...streamOf(imagePages([0x100, 0x101], [mailbox, patternPage(1)])),
  ];
  const input = script([
    ...frames.map(each => piece('stream', 'start', each)),
    piece('stream', 'end', frame('go', 7)),
    piece('agent', 'start', frame('cancel', 0), 7), // the kernel of that world answers to no step of a plan
  ]);
  feed('T', [input], 'restore');
});

test('an error of the kernel that is none is a failure like others', () => {
  const plan = Buffer.concat(everyStep.map(each => each.bytes));
  const inputs = [-2147483648, 2147483647, -5000, 1, -1].map(error => {
    const answer = Buffer.from(acknowledged);
    answer.writeInt32LE(error, 16);
    return script([piece('subject', 'start', plan), piece('netlink', 'start', answer)]);
  });
  feed('P', inputs);
});
