// Jobs and the layouts of plans: what TypeScript encodes is taken, what is not whole or not right is refused.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeLinkChange } from '#linux/rtnetlink.ts';
import { maxParkPages } from '#wire/frames.ts';
import { encodeSourceJob } from '#wire/job.ts';
import { encodePlan, writeFileStep } from '#wire/plan.ts';
import { temporaryFolder } from './test/compile.ts';
import { answers } from './test/harness.ts';
import { common, everyStep, payload, source, sourceJob, target } from './test/jobs.ts';

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

test('a job that is only read strikes none of its fault points', () => {
  const crash = payload(encodeSourceJob({ ...sourceJob, faults: ['source.claim:crash'] }));
  assert.deepEqual(answers([['J', crash]]), [[1, 1]]);
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
  const file = join(temporaryFolder(), 'untouched');
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
