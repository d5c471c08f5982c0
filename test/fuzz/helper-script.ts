// Scripts for the frozen helper in its world of memory (native/frozen/fuzz): what it hears, on which channel, from when on;
// and the program that runs them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeLinkChange } from '#linux/rtnetlink.ts';
import { encodeFrame } from '#wire/frame.ts';
import {
  claim,
  frameHeaderBytes,
  frameTypes,
  macBytes,
  type ReasonName,
  reasons,
  wireVersion,
} from '#wire/frames.ts';
import { encodeSourceJob, encodeTargetJob, type SourceJob, type TargetJob } from '#wire/job.ts';
import {
  ioctlStep,
  netlinkStep,
  type Plan,
  reclaimStep,
  sendPacketStep,
  waitPathStep,
  writeFileStep,
} from '#wire/plan.ts';
import { compileFuzz, sanitizerEnv } from '../../native/frozen/test/compile.ts';

// native/frozen/fuzz/world.h
const channels = { stream: 0, agent: 1, claims: 2, netlink: 3, hangUp: 4, reset: 5, subject: 6 } as const;
const stages = { start: 0, named: 1, round: 2, frozen: 3, image: 4, pages: 5, end: 6, go: 7 } as const;

export type Stage = keyof typeof stages;

export const token = Buffer.alloc(32, 0x5a);
const common = {
  epoch: 7,
  token,
  timeouts: { stallMs: 400, readyMs: 3000, claimMs: 5000, repeatMs: 20 },
  faults: [],
  tagSeed: Buffer.alloc(32, 0x5d),
};
export const everyStep: Plan = [
  writeFileStep('write', '/fuzz/x', '1'),
  ioctlStep('hold', '/fuzz/y', 0xc138fd06, Buffer.alloc(312)),
  netlinkStep('link', encodeLinkChange(2, { up: true, master: 0 }), { mayFail: true }),
  waitPathStep('wait', '/fuzz/z', 10),
  sendPacketStep('say', 2, Buffer.alloc(64, 0xff), { mayFail: true }),
  reclaimStep('push', '/fuzz/r', 2 ** 50, { mayFail: true }),
];
const sourceJob: SourceJob = {
  ...common,
  claimKey: Buffer.alloc(32, 0x5b),
  pastClaims: [{ epoch: 6, key: Buffer.alloc(32, 0x5c) }],
  claimAddress: '10.77.0.1',
  claimPort: 7401,
  copyInterface: 'enp0s31f6np0ab',
  copyAddress: '10.77.0.2',
  ghostArgv: ['/ghost'],
  memory: [{ offset: 0x1000n, startPfn: 1, endPfn: 0x20 }],
  givenUp: [{ startPfn: 0x1e, endPfn: 0x20 }],
  parkPages: 16,
  plans: {
    leave: [writeFileStep('leave', '/fuzz/leave', 'x')],
    serve: [],
    back: [writeFileStep('back', '/fuzz/back', 'x')],
    arrive: [],
    adopt: everyStep,
  },
};
const targetJob: TargetJob = {
  ...common,
  plain: true, // the world is no kernel
  tls: undefined,
  sourceAddress: '10.77.0.1',
  ramRanges: [
    { startPfn: 0x10, endPfn: 0x20 },
    { startPfn: 0x100, endPfn: 0x1000 },
  ],
  e820Checksum: 0xdeadbeef,
  physicalPages: 1 << 20,
  parkPages: 8,
  memory: [{ offset: 0x1000n, startPfn: 0x100, endPfn: 0x120 }],
  makeRoom: everyStep,
};
const payload = (job: Buffer): Buffer => job.subarray(frameHeaderBytes);
export const source = payload(encodeSourceJob(sourceJob));
export const target = payload(encodeTargetJob(targetJob));

/** A piece of a script but for its length: what is heard on a channel from a stage on. */
export function piece(
  channel: keyof typeof channels,
  stage: Stage,
  bytes: Uint8Array = Buffer.alloc(0),
  gap = 0,
): Buffer {
  return Buffer.concat([Buffer.of(channels[channel], stages[stage] | (gap << 4)), bytes]);
}

/** With lengths; what is too long for one becomes several. */
export function script(pieces: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  for (const each of pieces) {
    if (each.length < 2) continue;
    for (let at = 2; at === 2 || at < each.length; at += 0xffff) {
      const bytes = each.subarray(at, at + 0xffff);
      const length = Buffer.alloc(2);
      length.writeUInt16LE(bytes.length);
      parts.push(each.subarray(0, 2), length, bytes);
    }
  }
  return Buffer.concat(parts);
}

export const frame = (name: keyof typeof frameTypes, arg: number, bytes?: Uint8Array): Buffer =>
  encodeFrame(frameTypes[name].number, BigInt(arg), bytes);

/** In place of a MAC: the world signs what has it, so that also what was spoilt is signed. TO_BE_SIGNED of world.h. */
const toBeSigned = 0x99;

export function datagram(kind: keyof typeof claim.kinds, sequence: number, epoch = 7): Buffer {
  const { offsets, magic, bytes, kinds } = claim;
  const out = Buffer.alloc(bytes);
  out.writeUInt32LE(magic, offsets.magic);
  out.writeUInt16LE(wireVersion, offsets.version);
  out.writeUInt16LE(kinds[kind], offsets.kind);
  out.writeBigUInt64LE(BigInt(epoch), offsets.epoch);
  out.writeBigUInt64LE(BigInt(sequence), offsets.sequence);
  out.fill(toBeSigned, offsets.mac, offsets.mac + macBytes);
  return out;
}
/** Signed with a key that nobody has. */
export function forged(kind: keyof typeof claim.kinds, sequence: number, epoch = 7): Buffer {
  const out = datagram(kind, sequence, epoch);
  out.fill(0x98, claim.offsets.mac, claim.offsets.mac + macBytes);
  return out;
}

/** What the kernel says to a netlink message that was right; the world puts in whose answer it is. */
export const acknowledged = Buffer.alloc(36);
acknowledged.writeUInt32LE(36, 0);
acknowledged.writeUInt16LE(2, 4); // NLMSG_ERROR
acknowledged.writeUInt32LE(1, 8);

/** What B says of the two pages that the memory of the world has: one of them is there. */
export const found = piece('stream', 'named', frame('had', 0, Buffer.of(1)));

export const flood = 15; // FLOOD of native/frozen/fuzz/world.h

let compiled: string | undefined;
/** Compiled once; goes with this process. */
export function program(): string {
  if (compiled === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'yado-fuzz-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    compiled = compileFuzz(folder);
  }
  return compiled;
}

function record(letter: string, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5, letter);
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Runs inputs through one process. `letter`: main.c. @throws Error saying what promise was broken */
export function feed(letter: string, inputs: readonly Buffer[], reason?: ReasonName): void {
  const expected = Buffer.alloc(4);
  expected.writeUInt32LE(reason === undefined ? 0 : reasons[reason]);
  const records = [
    record('s', source),
    record('t', target),
    record('e', expected),
    ...inputs.map(each => record(letter, each)),
  ];
  const { status, stdout, stderr } = spawnSync(program(), {
    input: Buffer.concat(records),
    encoding: 'utf8',
    env: { ...process.env, ...sanitizerEnv },
    maxBuffer: 1 << 26,
    timeout: 300_000,
  });
  const answers = stdout.split('\n').slice(0, -1);
  if (status !== 0 || answers.length !== inputs.length || answers.some(answer => answer !== 'ok'))
    throw new Error(
      `${answers.find(answer => answer !== 'ok') ?? `it ended with ${status}`}\n${stderr.slice(0, 8000)}`,
    );
}
