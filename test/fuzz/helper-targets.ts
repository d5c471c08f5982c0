// The frozen helper, compiled with ASan and UBSan, in a world of memory (native/frozen/fuzz): its jobs and plans, the
// stream of a target, what a source hears from its target, and the claims of either side.
import { maxTextBytes, pageBytes, reasons } from '#wire/frames.ts';
import {
  imagePages,
  mailboxSignature,
  packedFrame,
  parkFrame,
  patternPage,
  streamOf,
  tagsFrame,
} from '../../native/frozen/test/image.ts';
import {
  acknowledged,
  datagram,
  everyStep,
  feed,
  flood,
  forged,
  found,
  frame,
  piece,
  program,
  type Stage,
  script,
  source,
  target,
  token,
} from './helper-script.ts';
import { mutate, mutateParts, type Recording } from './mutate.ts';
import type { Random } from './random.ts';
import type { Session, Target } from './target.ts';

// --- target ---

const mailbox = Buffer.concat([mailboxSignature(token), Buffer.alloc(pageBytes - 32)]);
const empty = Buffer.alloc(pageBytes);
const begin = frame('begin', 7, token);
const park = parkFrame([
  [3, patternPage(1)],
  [7, patternPage(2)],
]);

/** A whole stream; `pages` with what is parked under its number. */
function stream(pages: readonly (Buffer | number)[], perFrame: number): Buffer[] {
  return [
    piece('stream', 'start', begin),
    piece('stream', 'start', park),
    ...streamOf(pages, perFrame).map(each => piece('stream', 'start', each)),
    piece('stream', 'end', frame('go', 7)),
    piece('hangUp', 'end'),
  ];
}
const pfns = [0x10, 0x1f, 0x100, 0xfff, 0x200].toSorted((a, b) => a - b);
const image = imagePages(pfns, [patternPage(1), mailbox, empty, patternPage(2), patternPage(3)]);
/** The frame of a piece that the stream brings, packed. */
const packedPiece = (each: Buffer): Buffer => piece('stream', 'start', packedFrame(each.subarray(2)));
const named = [[Buffer.alloc(32, 1), Buffer.alloc(32, 2)], [Buffer.alloc(32, 1), Buffer.alloc(32)], []].map(
  (tags, at) => piece('stream', 'start', tagsFrame(2 * at, tags)),
);
const targetScripts: readonly Recording[] = [
  [...stream(image, 2).slice(0, 1), ...named, ...stream(image, 2).slice(1)],
  stream(image, 2).map((each, at) => (at === 1 || at === 2 ? packedPiece(each) : each)),
  [...stream(image, 2).slice(0, 1), ...named, piece('agent', 'start', frame('cancel', 0))],
  stream(image, 256),
  stream(image, 1),
  stream([...image.slice(0, 4), 3, 7, ...image.slice(5, 6)].slice(0, image.length), 2),
  [piece('stream', 'start', frame('begin', 8, token)), piece('hangUp', 'start'), ...stream(image, 3)],
  [...stream(image, 1).slice(0, 5), piece('stream', 'start', frame('abort', 0))],
  [...stream(image, 1).slice(0, 4), piece('agent', 'start', frame('cancel', 0))],
];

/** An image whose header or list says what cannot be, in a stream that is as it should be. */
function spoiltImage(random: Random): Buffer[] {
  const count = random.pick([1, 2, 5, 511, 512, 513]);
  const list = Array.from({ length: count }, (_, index) => 0x100 + index * (random.oneIn(50) ? 2 : 1));
  // Of a kernel that leaves pages of zeros out, or of one that does not.
  const marked = new Set(random.oneIn(2) ? list.keys().filter(index => index < count - 1 && index % 9) : []);
  const pages = imagePages(
    list.toSorted((a, b) => a - b),
    [...list.keys()]
      .filter(index => !marked.has(index))
      .map(index => (index === count - 1 ? mailbox : index % 9 ? empty : patternPage(index))),
    marked,
  ).map(page => Buffer.from(page));
  const strange = [
    0n,
    0xfn,
    0x10n,
    0x1fn,
    0x20n,
    0xffn,
    0x100n,
    0xfffn,
    0x1000n,
    1n << 40n,
    1n << 63n,
    (1n << 64n) - 1n,
    (1n << 64n) - 2n,
  ];
  for (let left = random.below(3); left >= 0; left--) {
    const meta = pages[1 + random.below(Math.ceil(count / 512))]!;
    const entry = random.oneIn(2) ? random.below(512) : Math.min(511, (count % 512) + random.below(3));
    const value = random.oneIn(2) ? random.pick(strange) : BigInt(0x100 + random.below(2 * count));
    if (random.oneIn(4)) {
      const at = random.pick([416, 424]);
      const was = pages[0]!.readBigUInt64LE(at);
      pages[0]!.writeBigUInt64LE(
        BigInt.asUintN(64, random.pick([was + 1n, was - 1n, was + 512n, ...strange])),
        at,
      );
    } else meta.writeBigUInt64LE(value, 8 * entry);
  }
  return stream(pages, random.pick([1, 7, 256]));
}

const makeTarget = (random: Random): Buffer =>
  script(random.oneIn(3) ? spoiltImage(random) : mutateParts(random, targetScripts));

// --- source and copy ---

const freeze = piece('agent', 'round', frame('freeze', 0));
const ready = piece('stream', 'end', frame('ready', 900));
const ours = piece('claims', 'go', datagram('claim', 1));
const stale = (stage: Stage): Buffer => piece('claims', stage, datagram('claim', 1, 6));
const failed = frame('failed', reasons.frameOutsideRam, Buffer.from('page frame 0x9 is not RAM here'));
const afterwards: readonly Recording[] = [
  [freeze, ready, ours, stale('go'), ours],
  [piece('agent', 'round', frame('again', 0)), freeze, ready, piece('reset', 'go'), ours],
  [freeze, piece('stream', 'pages', failed), piece('hangUp', 'pages')],
  [freeze, ready, piece('stream', 'go', failed), stale('pages')],
  [freeze, piece('stream', 'frozen', frame('cancel', 0)), ours],
  [piece('agent', 'round', frame('cancel', 0)), ready],
  [
    freeze,
    piece('stream', 'end', frame('failed', 9, Buffer.alloc(maxTextBytes - 1, 0x41)), 15),
    stale('end'),
  ],
  [freeze, ready, piece('hangUp', 'go'), stale('frozen'), stale('image')],
  [freeze, piece('stream', 'pages', failed), piece('claims', 'frozen', datagram('claim', 1, 6), flood)],
  [freeze, ready, piece('claims', 'pages', datagram('claim', 1), flood)],
  [freeze, ready, piece('claims', 'go', forged('claim', 1)), ours],
  [freeze, ready, piece('claims', 'frozen', forged('claim', 1), flood)],
];
const sourceScripts: readonly Recording[] = [
  ...afterwards.map(each => [found, ...each]),
  [piece('stream', 'named', frame('had', 0)), found, freeze, ready, ours],
  [piece('stream', 'start', frame('had', 0, Buffer.of(3))), freeze],
  [found, piece('stream', 'frozen', frame('had', 0, Buffer.of(2))), freeze],
  [piece('agent', 'named', frame('cancel', 0))],
];
const refuse = piece('claims', 'start', datagram('refuse', 1));
const grant = piece('claims', 'start', datagram('grant', 2), 5);
const noise = piece('claims', 'start', datagram('grant', 1, 6), 2);
const copyScripts: readonly Recording[] = [
  [grant],
  [refuse],
  [noise, noise, grant, grant],
  [noise, piece('claims', 'start', datagram('claim', 1), 1), refuse],
  [piece('claims', 'start', datagram('grant', 1, 6), flood), grant],
  [piece('claims', 'start', forged('grant', 1), 2), piece('claims', 'start', forged('refuse', 1), 2), refuse],
];

// --- plans ---

const planScripts: readonly Recording[] = [everyStep.map(each => Buffer.from(each.bytes))];
const makePlan = (random: Random): Buffer =>
  script([
    piece('subject', 'start', mutate(random, planScripts)),
    ...mutateParts(random, [[piece('netlink', 'start', acknowledged)]]),
  ]);

/** Field by field. */
function fieldsOf(job: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 0; at < job.length; ) {
    const end = at + 8 + job.readUInt32LE(at + 4);
    fields.push(job.subarray(at, end));
    at = end;
  }
  return fields;
}
const jobs = [source, target].map(fieldsOf);

const helper = (
  name: string,
  letter: string,
  batch: number,
  about: string,
  make: (random: Random) => Buffer,
): Target => ({
  name,
  about,
  batch,
  make,
  open: (): Session => {
    program();
    return { attempt: inputs => feed(letter, inputs), [Symbol.asyncDispose]: async () => {} };
  },
});

export const helperTargets: readonly Target[] = [
  helper('helper-job', 'J', 200, 'jobs of the frozen helper', random => mutate(random, jobs)),
  helper('helper-plan', 'P', 50, 'plans: are they valid, and what they do then', makePlan),
  helper('helper-target', 'T', 25, 'the stream of an image, from BEGIN to GO', makeTarget),
  helper('helper-source', 'S', 50, 'what A hears from B, from claims and from its agent', random =>
    script(mutateParts(random, sourceScripts)),
  ),
  helper('helper-copy', 'C', 25, 'what the copy on B is answered', random =>
    script(mutateParts(random, copyScripts)),
  ),
];
