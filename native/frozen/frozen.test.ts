// The parsers and the plan interpreter of the frozen helper, under ASan and UBSan, on what TypeScript encodes, on that
// with bytes changed, and on garbage.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeLinkChange } from '#linux/rtnetlink.ts';
import { claim, frameHeaderBytes, maxParkPages, reasons, wireVersion } from '#wire/frames.ts';
import { encodeSourceJob, encodeTargetJob, type SourceJob } from '#wire/job.ts';
import {
  encodePlan,
  findCardStep,
  foundCard,
  ioctlStep,
  netlinkCardStep,
  netlinkStep,
  type Plan,
  reclaimStep,
  sendPacketStep,
  waitPathStep,
  waitTextStep,
  writeFileStep,
} from '#wire/plan.ts';
import { signClaim } from '../../src/agent/claim-mac.ts';
import { compileHarness, sanitizerEnv, temporaryFolder } from './test/compile.ts';
import { imagePages, mailboxSignature, parkFrame, patternPage, streamOf } from './test/image.ts';

const folder = temporaryFolder();
const harness = compileHarness(folder);

type Kind = 'J' | 'P' | 'R' | 'C' | 'T' | 'H' | 'W';

/** Runs records through one process. @returns its answers, a list of numbers each */
function answers(
  records: readonly (readonly [Kind, Uint8Array])[],
  command: readonly string[] = [],
): number[][] {
  const input = records.flatMap(([kind, bytes]) => {
    const head = Buffer.alloc(5, kind);
    head.writeUInt32LE(bytes.length, 1);
    return [head, bytes];
  });
  const [program = '', ...rest] = [...command, harness];
  const env = { ...process.env, ...sanitizerEnv };
  const { status, stdout, stderr } = spawnSync(program, rest, {
    input: Buffer.concat(input),
    encoding: 'utf8',
    env,
    maxBuffer: 1 << 26,
  });
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, records.length);
  return lines.map(line => line.split(' ').map(Number));
}

const mac = Buffer.alloc(64, 0xff);
const everyStep: Plan = [
  writeFileStep('write', '/sys/x', '1'),
  ioctlStep('hold', '/dev/y', 0xc138fd06, Buffer.alloc(312)),
  netlinkStep('link', encodeLinkChange(2, { up: true, master: 0 })),
  waitPathStep('wait', '/sys/z', 10),
  sendPacketStep('say', 2, mac, { mayFail: true }),
  reclaimStep('push', '/sys/r', 1, { mayFail: true }),
  findCardStep('find', '0000:00:05.0', 10),
  netlinkCardStep('card', encodeLinkChange(foundCard, { name: 'ens5' })),
  waitTextStep('carrier', '/sys/class/net/ens5/carrier', '1', 10),
];
const common = {
  epoch: 7,
  token: new Uint8Array(32).fill(0x5a),
  timeouts: { stallMs: 1, readyMs: 2, claimMs: 3, repeatMs: 4 },
  memory: [{ offset: 0x880_0000_4000n, startPfn: 1, endPfn: 0x9f }],
  tagSeed: new Uint8Array(32).fill(0x5d),
};
const sourceJob: SourceJob = {
  ...common,
  claimKey: new Uint8Array(32).fill(0x5b),
  pastClaims: [{ epoch: 6, key: new Uint8Array(32).fill(0x5c) }],
  faults: ['copy.arrive:reset', 'source.claim:lost=3'],
  claimAddress: '10.77.0.1',
  claimPort: 7401,
  copyInterface: 'enp0s31f6np0ab', // 15 characters are the most an interface name has
  copyAddress: '10.77.0.2',
  ghostArgv: ['/bin/node', 'main.ts', '--state={}'],
  parkPages: 100,
  plans: {
    leave: everyStep,
    serve: everyStep,
    back: [],
    arrive: everyStep,
    adopt: everyStep,
  },
};
const payload = (job: Buffer): Buffer => job.subarray(frameHeaderBytes);
const source = payload(encodeSourceJob(sourceJob));
const target = payload(
  encodeTargetJob({
    ...common,
    tls: { out: Buffer.alloc(40, 1), in: Buffer.alloc(56, 2) },
    sourceAddress: '10.77.0.1',
    faults: [],
    ramRanges: [{ startPfn: 1, endPfn: 0x9f }],
    e820Checksum: 0xdeadbeef,
    physicalPages: 1 << 20,
    parkPages: 9,
    makeRoom: everyStep,
  }),
);

/** A record in which the length field before `needle` is right but the bytes are others. */
function replaced(bytes: Buffer, needle: Buffer, other: Buffer): Buffer {
  const at = bytes.indexOf(needle);
  assert.ok(at >= 0 && needle.length === other.length);
  const copy = Buffer.from(bytes);
  copy.set(other, at);
  return copy;
}

test('the helper takes the jobs that TypeScript makes', () => {
  assert.deepEqual(
    answers([
      ['J', source],
      ['J', target],
    ]),
    [
      [1, 2], // so many fault points are armed
      [1, 0],
    ],
  );
});

test('jobs that are not whole or not right are refused', () => {
  const tooLong = payload(encodeSourceJob({ ...sourceJob, copyInterface: 'a234567890123456' }));
  const zeroTime = payload(encodeSourceJob({ ...sourceJob, timeouts: { ...common.timeouts, repeatMs: 0 } }));
  const port = payload(encodeSourceJob({ ...sourceJob, claimPort: 65_536 }));
  const noPlan = replaced(source, Buffer.from('/sys/x\0'), Buffer.from('/sys/xx')); // a path without an end
  const odd = Buffer.concat([target.subarray(0, target.length - 1)]);
  const unknown = Buffer.concat([target, Buffer.from([99, 0, 0, 0, 0, 0, 0, 0])]);
  const piece = { offset: 0n, startPfn: 1, endPfn: 2 };
  const memories = [
    { ...piece, endPfn: 1 }, // empty
    { ...piece, endPfn: 2 ** 41 },
    { ...piece, endPfn: 2 ** 32 }, // more than all slots can name
    { ...piece, offset: 2n ** 63n },
  ].map(each => payload(encodeSourceJob({ ...sourceJob, memory: [each] })));
  const cutMemory = replaced(
    source,
    Buffer.from([24, 0, 0, 0, 24, 0, 0, 0]),
    Buffer.from([24, 0, 0, 0, 16, 0, 0, 0]),
  );
  const parkAll = payload(encodeSourceJob({ ...sourceJob, parkPages: maxParkPages + 1 }));
  const records = [
    ...memories,
    cutMemory,
    parkAll,
    tooLong,
    zeroTime,
    port,
    noPlan,
    odd,
    unknown,
    Buffer.alloc(0),
    target.subarray(0, 7),
  ];
  for (const [index, [ok]] of answers(records.map(bytes => ['J', bytes] as const)).entries())
    assert.equal(ok, 0, `record ${index}`);
});

test('plan layouts: each of these is refused, and nothing of it is run', () => {
  const file = join(folder, 'untouched');
  writeFileSync(file, 'before');
  const good = writeFileStep('write', file, 'after').bytes;
  const operation = (kind: number, bytes: Uint8Array, length = bytes.length): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt16LE(kind, 0);
    head.writeUInt32LE(length, 4);
    return Buffer.concat([head, bytes]);
  };
  const nul = Buffer.from('/x\0');
  const netlink = Buffer.concat([Buffer.alloc(4), encodeLinkChange(1, { up: true })]);
  const wrongLength = Buffer.from(netlink);
  wrongLength.writeUInt32LE(netlink.length, 4);
  const bad = [
    operation(0, nul),
    operation(99, nul),
    operation(1, Buffer.from('/no end')),
    operation(1, Buffer.from('\0empty path')),
    operation(1, nul, nul.length + 1), // longer than the plan
    operation(1, nul, 0xffffffff),
    operation(2, Buffer.alloc(8)), // no path
    operation(2, Buffer.concat([Buffer.alloc(8), nul, Buffer.alloc(65_537)])), // more than its buffer holds
    operation(3, Buffer.alloc(8)),
    operation(3, wrongLength),
    operation(4, Buffer.alloc(4)),
    operation(5, Buffer.alloc(4 + 13)),
    operation(5, Buffer.alloc(4 + 1515)),
    operation(9, Buffer.alloc(8)), // no path
    operation(6, Buffer.alloc(4)), // no address
    operation(7, netlink), // the index would go over the head of the message
    operation(7, Buffer.concat([Uint8Array.of(netlink.length - 4 - 3, 0, 0, 0), netlink.subarray(4)])),
    operation(8, Buffer.alloc(4)),
    Buffer.alloc(7),
  ];
  const results = answers(bad.map(bytes => ['R', Buffer.concat([good, bytes])] as const));
  for (const [index, [ok]] of results.entries()) assert.equal(ok, 0, `plan ${index}`);
  assert.equal(readFileSync(file, 'utf8'), 'before');
  assert.equal(answers([['P', encodePlan(everyStep)]])[0]?.[0], 1);
});

test('a plan runs in order, stops at the first failure and says which', () => {
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  for (const file of [first, second]) writeFileSync(file, '--');
  const missing = join(folder, 'missing', 'file');
  const plan = (mayFail: boolean): Buffer =>
    encodePlan([
      writeFileStep('a', first, '11'),
      waitPathStep('b', first, 1000),
      writeFileStep('c', missing, 'x', { mayFail }),
      waitPathStep('d', missing, 1, { mayFail }),
      ioctlStep('e', '/dev/null', 0x5401, Buffer.alloc(64), { mayFail }), // TCGETS: ENOTTY
      writeFileStep('f', second, '22'),
    ]);
  const ENOENT = 2;
  assert.deepEqual(answers([['R', plan(false)]]), [[1, -1, ENOENT, 2]]);
  assert.deepEqual(
    [first, second].map(file => readFileSync(file, 'utf8')),
    ['11', '--'],
  );
  assert.deepEqual(answers([['R', plan(true)]]), [[1, 0, 0, -1]]);
  assert.equal(readFileSync(second, 'utf8'), '22');
  const ETIMEDOUT = 110;
  const ENOTTY = 25;
  assert.deepEqual(answers([['R', encodePlan([waitPathStep('w', missing, 20)])]]), [[1, -1, ETIMEDOUT, 0]]);
  assert.deepEqual(answers([['R', encodePlan([ioctlStep('i', '/dev/null', 0x5401, Buffer.alloc(64))])]]), [
    [1, -1, ENOTTY, 0],
  ]);
});

test('memory is reclaimed until so much is in use; where the kernel gives none the plan ends', () => {
  const file = join(folder, 'reclaim');
  writeFileSync(file, '');
  const reclaim = (path: string, mostBytes: number) => encodePlan([reclaimStep('push', path, mostBytes)]);
  assert.deepEqual(answers([['R', reclaim(file, 2 ** 60)]]), [[1, 0, 0, -1]]);
  assert.equal(readFileSync(file, 'utf8'), '', 'little is in use: the kernel is not asked');
  const [ENOENT, ENOMEM] = [2, 12];
  assert.deepEqual(answers([['R', reclaim(join(folder, 'missing', 'file'), 1)]]), [[1, -1, ENOENT, 0]]);
  assert.deepEqual(answers([['R', reclaim(file, 1)]]), [[1, -1, ENOMEM, 0]]);
  assert.equal(readFileSync(file, 'utf8'), String(64 * 2 ** 20), 'it is asked for a piece at a time');
});

test('waits for a text at the beginning of a file', () => {
  const file = join(folder, 'carrier');
  writeFileSync(file, '1\n');
  const ETIMEDOUT = 110;
  assert.deepEqual(
    answers([
      ['R', encodePlan([waitTextStep('w', file, '1', 1000)])],
      ['R', encodePlan([waitTextStep('w', file, '0', 20)])],
      ['R', encodePlan([waitTextStep('w', join(folder, 'missing'), '1', 20)])],
      ['R', encodePlan([waitTextStep('w', file, '1\nand more', 20)])],
    ]),
    [[1, 0, 0, -1], ...Array(3).fill([1, -1, ETIMEDOUT, 0])],
  );
});

test('finds a card by its place, and speaks of it from then on', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const find = (place: string) => findCardStep('find', place, 20);
  const up = (is: boolean) => netlinkCardStep('switch', encodeLinkChange(foundCard, { up: is }));
  const say = sendPacketStep('say', foundCard, Buffer.alloc(60, 0xff));
  const ENODEV = 19;
  const ENETDOWN = 100;
  const ETIMEDOUT = 110;
  assert.deepEqual(
    answers(
      [
        ['R', encodePlan([up(true)])], // none was found yet
        ['R', encodePlan([find('virtual/net'), up(true), say])], // every network has a loopback there
        ['R', encodePlan([up(false), say])],
        ['R', encodePlan([find('0000:00:05.0')])],
      ],
      ['unshare', '--net', '--mount', 'sh', '-c', 'mount -t sysfs sys /sys && exec "$0"'],
    ),
    [
      [1, -1, ENODEV, 0],
      [1, 0, 0, -1],
      [1, -1, ENETDOWN, 1],
      [1, -1, ETIMEDOUT, 0],
    ],
  );
});

test('netlink and packets, in a network of their own', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const lo = 1;
  const up = encodePlan([
    netlinkStep('switch on lo', encodeLinkChange(lo, { up: true })),
    sendPacketStep('say', lo, Buffer.alloc(60, 0xff)),
    netlinkStep('no such link', encodeLinkChange(999, { up: true }), { mayFail: true }),
    netlinkStep('no such link', encodeLinkChange(999, { up: true })),
  ]);
  const down = encodePlan([
    netlinkStep('switch off lo', encodeLinkChange(lo, { up: false })),
    sendPacketStep('say', lo, Buffer.alloc(60, 0xff)), // ENETDOWN: the step before has taken place
  ]);
  const ENODEV = 19;
  const ENETDOWN = 100;
  assert.deepEqual(
    answers(
      [
        ['R', up],
        ['R', down],
      ],
      ['unshare', '--net'],
    ),
    [
      [1, -1, ENODEV, 3],
      [1, -1, ENETDOWN, 1],
    ],
  );
});

test('claim datagrams: only whole ones of this version', () => {
  const good = Buffer.alloc(claim.bytes);
  good.writeUInt32LE(claim.magic, claim.offsets.magic);
  good.writeUInt16LE(wireVersion, claim.offsets.version);
  const otherMagic = Buffer.from(good).fill(0, 0, 1);
  const otherVersion = Buffer.from(good).fill(9, 4, 5);
  const records = [
    good,
    otherMagic,
    otherVersion,
    good.subarray(0, claim.bytes - 1),
    Buffer.concat([good, Buffer.alloc(1)]),
    Buffer.alloc(0),
    Buffer.alloc(60_000),
  ];
  assert.deepEqual(answers(records.map(bytes => ['C', bytes] as const)).flat(), [1, 0, 0, 0, 0, 0, 0]);
});

test('the MAC is HMAC-SHA256', () => {
  const key = Buffer.alloc(32, 0x0b);
  const messages = [0, 1, 55, 56, 63, 64, 65, 119, 144, 1000].map(length =>
    Buffer.alloc(length, 'Hi There '),
  );
  const macs = answers(messages.map(bytes => ['H', Buffer.concat([key, bytes])] as const));
  for (const [index, message] of messages.entries())
    assert.deepEqual(macs[index]?.slice(0, 32), [...createHmac('sha256', key).update(message).digest()]);
  // RFC 4231, case 1: a key of 20 bytes is one of 32 with zeros behind it.
  const [first] = answers([['H', Buffer.concat([key.fill(0, 20), Buffer.from('Hi There')])]]);
  assert.equal(
    Buffer.from(first?.slice(0, 32) ?? []).toString('hex'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  );
});

test('a claim is of the move whose key has signed it, and of nobody with one bit changed', () => {
  const [nobody, ours, past] = [0, 1, 2];
  const whose = (datagrams: readonly Buffer[]): (number | undefined)[] =>
    answers(datagrams.map(each => ['W', Buffer.concat([each, source])] as const)).map(([answer]) => answer);
  const claimOf = (epoch: number, key: Uint8Array): Buffer => {
    const datagram = Buffer.alloc(claim.bytes, 7);
    datagram.writeBigUInt64LE(BigInt(epoch), claim.offsets.epoch);
    signClaim(key, datagram);
    return datagram;
  };
  const [pastMove] = sourceJob.pastClaims;
  const mine = claimOf(7, sourceJob.claimKey);
  assert.deepEqual(
    whose([
      mine,
      claimOf(6, pastMove?.key ?? mine),
      claimOf(6, sourceJob.claimKey), // a copy cannot pass for one of another move
      claimOf(7, pastMove?.key ?? mine),
      claimOf(5, sourceJob.claimKey),
      Buffer.alloc(claim.bytes),
    ]),
    [ours, past, nobody, nobody, nobody, nobody],
  );
  const flipped = Array.from({ length: claim.bytes * 8 }, (_, bit) => {
    const datagram = Buffer.from(mine);
    datagram.writeUInt8(datagram.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    return datagram;
  });
  assert.deepEqual(new Set(whose(flipped)), new Set([nobody]));
});

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
  const pages = imagePages(
    [0x10, 0x1f, 0x100, 0x1ff],
    [patternPage(1), mailbox, Buffer.alloc(4096), patternPage(2)],
  );
  // Two pages are parked first; one of them the image refers to.
  const parked = parkFrame([
    [7, patternPage(1)],
    [0, patternPage(3)],
  ]);
  const stream = Buffer.concat([parked, ...streamOf([...pages.slice(0, 2), 7, ...pages.slice(3)], 3)]);
  const [whole] = answers([['T', stream]]);
  const [complete, reason, written, announced] = whole ?? [];
  assert.deepEqual([reason, written, announced], [reasons.none, 6 * 4096, 6]);
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
