// Jobs as bytes. That the helper takes what is encoded here is tested beside the helper.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultKinds, faultNumber } from '#core/faults.ts';
import { FrameReader } from '#wire/frame.ts';
import { frameTypes, jobFields, maxJobBytes } from '#wire/frames.ts';
import { encodeSourceJob, encodeTargetJob, type SourceJob, type TargetJob } from '#wire/job.ts';
import { writeFileStep } from '#wire/plan.ts';

const common = {
  epoch: 0x1122334455,
  token: new Uint8Array(32).fill(7),
  timeouts: { stallMs: 1, readyMs: 2, claimMs: 3, repeatMs: 4 },
  faults: ['source.claim:lost=3', 'copy.arrive:reset'],
  memory: [{ offset: 0x880_0000_4000n, startPfn: 1, endPfn: 0x9f }],
  tagSeed: new Uint8Array(32).fill(6),
};
const target: TargetJob = {
  ...common,
  tls: { out: Buffer.alloc(40, 1), in: Buffer.alloc(40, 2) },
  sourceAddress: '10.77.0.1',
  ramRanges: [{ startPfn: 1, endPfn: 0x9f }],
  e820Checksum: 0xdeadbeef,
  physicalPages: 2 ** 33,
  parkPages: 9,
  makeRoom: [],
};
const source: SourceJob = {
  ...common,
  claimKey: new Uint8Array(32).fill(8),
  pastClaims: [{ epoch: 3, key: new Uint8Array(32).fill(9) }],
  claimAddress: '10.77.0.1',
  claimPort: 7401,
  copyInterface: 'eth0',
  copyAddress: '10.77.0.2',
  ghostArgv: ['/bin/node', 'main.ts'],
  givenUp: [{ startPfn: 0x9d, endPfn: 0x9f }],
  parkPages: 0x10203,
  plans: {
    leave: [writeFileStep('leave', '/l', '1')],
    serve: [],
    back: [],
    arrive: [writeFileStep('arrive', '/a', '1')],
    adopt: [],
  },
};

/** Fields by tag, read as the helper reads them. */
function fieldsOf(job: Buffer, type: number): Map<number, string> {
  const [frame] = new FrameReader(maxJobBytes).push(job);
  assert.equal(frame?.type, type);
  const fields = new Map<number, string>();
  for (let rest = frame.payload; rest.length > 0; ) {
    const length = rest.readUInt32LE(4);
    assert.equal(rest.readUInt16LE(2), 0);
    fields.set(rest.readUInt16LE(0), rest.subarray(8, 8 + length).toString('hex'));
    rest = rest.subarray(8 + length);
  }
  return fields;
}

test('the job of a target', () => {
  const fields = fieldsOf(encodeTargetJob(target), frameTypes.jobTarget.number);
  assert.equal(fields.get(jobFields.epoch), '5544332211000000');
  assert.equal(fields.get(jobFields.token), '07'.repeat(32));
  assert.equal(fields.get(jobFields.timeoutsMs), '01000000020000000300000004000000');
  assert.equal(fields.get(jobFields.ramRanges), '01000000000000009f00000000000000');
  assert.equal(fields.get(jobFields.e820Checksum), 'efbeadde');
  assert.equal(fields.get(jobFields.physicalPages), '0000000002000000');
  assert.equal(fields.get(jobFields.parkPages), '09000000');
  assert.equal(fields.get(jobFields.memory), '004000008008000001000000000000009f00000000000000');
  assert.equal(fields.get(jobFields.tagSeed), '06'.repeat(32));
  const without = fieldsOf(
    encodeTargetJob({ ...target, tagSeed: new Uint8Array() }),
    frameTypes.jobTarget.number,
  );
  assert.equal(without.has(jobFields.tagSeed), false);
  assert.equal(fields.get(jobFields.claimAddress), '0a4d0001');
  assert.equal(fields.get(jobFields.tlsOut), '01'.repeat(40));
  assert.equal(fields.get(jobFields.tlsIn), '02'.repeat(40));
  assert.ok(!fields.has(jobFields.plain));
  const { number } = faultKinds.lost;
  const first = Buffer.from([faultNumber('source.claim'), 0, number, 0, 3, 0, 0, 0]);
  const second = Buffer.from([faultNumber('copy.arrive'), 0, faultKinds.reset.number, 0, 0, 0, 0, 0]);
  assert.equal(fields.get(jobFields.faults), Buffer.concat([first, second]).toString('hex'));
});

test('the job of a source', () => {
  const fields = fieldsOf(encodeSourceJob(source), frameTypes.jobSource.number);
  assert.equal(fields.get(jobFields.givenUp), '9d000000000000009f00000000000000');
  assert.equal(fields.get(jobFields.claimAddress), '0a4d0001'); // network order
  assert.equal(fields.get(jobFields.copyAddress), '0a4d0002');
  assert.equal(fields.get(jobFields.claimPort), 'e91c0000');
  assert.equal(fields.get(jobFields.copyInterface), Buffer.from('eth0').toString('hex'));
  assert.equal(fields.get(jobFields.ghostArgv), Buffer.from('/bin/node\0main.ts\0').toString('hex'));
  assert.equal(fields.get(jobFields.memory), '004000008008000001000000000000009f00000000000000');
  assert.equal(fields.get(jobFields.parkPages), '03020100');
  assert.equal(fields.get(jobFields.planServe), '');
  assert.equal(
    fields.get(jobFields.planLeave),
    Buffer.from([1, 0, 0, 0, 4, 0, 0, 0, 0x2f, 0x6c, 0, 0x31]).toString('hex'), // write "1" to /l
  );
});

test('what no job can hold is refused where it is made', () => {
  assert.throws(() => encodeTargetJob({ ...target, faults: ['target.restore:lost'] }), /no fault point/);
  assert.throws(() => encodeTargetJob({ ...target, token: new Uint8Array(31) }), /32 bytes/);
  assert.throws(() => encodeTargetJob({ ...target, tagSeed: new Uint8Array(16) }), /32 bytes/);
  assert.throws(() => encodeSourceJob({ ...source, claimAddress: '10.77.0' }), /IPv4/);
  assert.throws(() => encodeSourceJob({ ...source, copyAddress: '10.77.0.256' }), /IPv4/);
  assert.throws(() => encodeSourceJob({ ...source, ghostArgv: ['x'.repeat(maxJobBytes)] }), /bytes/);
});
