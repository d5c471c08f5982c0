// Jobs of A and of B in which nothing is missing, and a plan of every kind of step.

import { encodeLinkChange } from '#linux/rtnetlink.ts';
import { frameHeaderBytes } from '#wire/frames.ts';
import { encodeSourceJob, encodeTargetJob, type SourceJob } from '#wire/job.ts';
import {
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

const mac = Buffer.alloc(64, 0xff);
export const everyStep: Plan = [
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
export const common = {
  epoch: 7,
  token: new Uint8Array(32).fill(0x5a),
  timeouts: { stallMs: 1, readyMs: 2, claimMs: 3, repeatMs: 4 },
  memory: [{ offset: 0x880_0000_4000n, startPfn: 1, endPfn: 0x9f }],
  tagSeed: new Uint8Array(32).fill(0x5d),
};
export const sourceJob: SourceJob = {
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
  givenUp: [{ startPfn: 0x9d, endPfn: 0x9f }],
  plans: {
    leave: everyStep,
    serve: everyStep,
    back: [],
    arrive: everyStep,
    adopt: everyStep,
  },
};
export const payload = (job: Buffer): Buffer => job.subarray(frameHeaderBytes);
export const source = payload(encodeSourceJob(sourceJob));
export const target = payload(
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
