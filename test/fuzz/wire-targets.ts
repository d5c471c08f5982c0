// Bytes that come from another computer or from the helper: frames, reports, claims.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { awaitPairing, callForPairing, type PairingStep, pairingStep } from '#core/pairing.ts';
import { MessageReader } from '#wire/control.ts';
import { encodeFrame, type Frame, FrameReader } from '#wire/frame.ts';
import {
  claim,
  frameTypes,
  maxPayloadBytes,
  maxTextBytes,
  outcomes,
  preCopyBytes,
  timedSteps,
  wireVersion,
} from '#wire/frames.ts';
import { decodeInputEvents, encodeInputEvents } from '#wire/input-events.ts';
import { decodePairing, encodePairing, maxPairingBytes } from '#wire/pairing.ts';
import { decodePreCopy } from '#wire/pre-copy.ts';
import { decodeReport } from '#wire/report.ts';
import { grantOf, refusalOf } from '../../src/agent/claim-desk.ts';
import { isSignedClaim, signClaim } from '../../src/agent/claim-mac.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import { decoder, type Target } from './target.ts';

const hash = (text: string): Uint8Array => createHash('sha256').update(text).digest();
const half = (name: string, letter: string) => ({ name, key: letter.repeat(43), nonce: letter.repeat(43) });
const called = callForPairing(half('crab', 'A'), 'b', hash);
const offered = pairingStep(awaitPairing(half('b', 'B')).state, { message: called.send[0]! }, hash);
const revealed = pairingStep(called.state, { message: offered.send[0]! }, hash);
const verdict = { type: 'verdict', agrees: true } as const;
const pairings = [
  [...called.send, ...revealed.send, verdict],
  [...offered.send, verdict],
].map(each => each.map(encodePairing));

/** To an OS and to a computer; nobody there has said yes to a code. */
function pairWith(input: Buffer): void {
  for (const first of [called, awaitPairing(half('b', 'B'))]) {
    let step: PairingStep = first;
    for (const bytes of new MessageReader(maxPairingBytes).push(input))
      step = pairingStep(step.state, { message: decodePairing(bytes) }, hash);
    assert.notEqual(step.state.at, 'paired');
  }
}

const token = Buffer.alloc(32, 0x5a);
const bulk = [
  encodeFrame(frameTypes.begin.number, 7n, token),
  encodeFrame(frameTypes.park.number, 1n, Buffer.alloc(8)),
  encodeFrame(frameTypes.pages.number, 0n, Buffer.alloc(5000, 3)),
  encodeFrame(frameTypes.end.number, 9n),
  encodeFrame(frameTypes.go.number, 7n),
];

/** Reads it whole and in pieces: what comes out must not depend on how it came in. */
function readFrames(input: Buffer): void {
  const read = (pieces: Iterable<Buffer>): { frames: Frame[]; error: string } => {
    const reader = new FrameReader(maxPayloadBytes);
    const frames: Frame[] = [];
    try {
      for (const piece of pieces) for (const frame of reader.push(piece)) frames.push(frame);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'WireError') throw error;
      return { frames, error: error.message };
    }
    return { frames, error: '' };
  };
  function* pieces(): Generator<Buffer> {
    const random = new Random(input.length);
    for (let at = 0, size = 0; at < input.length; at += size) {
      size = 1 + random.below(Math.max(64, input.length >> 4));
      yield input.subarray(at, at + size);
    }
  }
  const whole = read([input]);
  const cut = read(pieces());
  assert.equal(cut.error, whole.error);
  if (!whole.error) assert.deepEqual(cut.frames, whole.frames);
  for (const { payload } of cut.frames) assert.ok(payload.length <= maxPayloadBytes);
}

const reportBytes = Buffer.alloc(16 + 8 * timedSteps.length + 56 + maxTextBytes, 0);
reportBytes.write('page frame 0x9 is not RAM here', reportBytes.length - maxTextBytes);
const reports = [
  encodeFrame(frameTypes.result.number, BigInt(outcomes.discarded), reportBytes),
  encodeFrame(frameTypes.preCopy.number, 12n, Buffer.alloc(preCopyBytes, 1)),
  encodeFrame(frameTypes.preCopy.number, 12n, Buffer.alloc(preCopyBytes)),
];

function readReports(input: Buffer): void {
  for (const { type, arg, payload } of new FrameReader(4096).push(input)) {
    if (type === frameTypes.result.number) assert.doesNotMatch(decodeReport(arg, payload).text, /\p{Cc}/u);
    if (type === frameTypes.preCopy.number) decodePreCopy(arg, payload);
  }
}

function claimOf(kind: number): Buffer {
  const { offsets, magic, bytes } = claim;
  const datagram = Buffer.alloc(bytes);
  datagram.writeUInt32LE(magic, offsets.magic);
  datagram.writeUInt16LE(wireVersion, offsets.version);
  datagram.writeUInt16LE(kind, offsets.kind);
  datagram.writeBigUInt64LE(7n, offsets.epoch);
  datagram.writeBigUInt64LE(1n, offsets.sequence);
  signClaim(token, datagram);
  return datagram;
}

/** As it is, and signed as only a copy can. */
function answerClaim(datagram: Buffer): void {
  const isWhole = datagram.length === claim.bytes;
  answerOne(datagram, isWhole && isSignedClaim(token, datagram));
  if (!isWhole) return;
  const signed = Buffer.from(datagram);
  signClaim(token, signed);
  answerOne(signed, true);
}

/** Only who has the key is answered, with its own epoch and sequence, and with as many bytes as it sent. */
function answerOne(datagram: Buffer, isSigned: boolean): void {
  const { offsets, kinds } = claim;
  const answers = [
    [refusalOf(epoch => (epoch === 7n ? token : undefined))(datagram), kinds.refuse],
    [grantOf(token, 7, () => 1n)(datagram), kinds.grant],
  ] as const;
  for (const [answer, kind] of answers) {
    if (!answer) continue;
    assert.ok(isSigned, 'a stranger was answered');
    assert.equal(answer.length, datagram.length);
    assert.equal(answer.readUInt16LE(offsets.kind), kind);
    assert.equal(answer.readBigUInt64LE(offsets.epoch), 7n);
    assert.equal(answer.readBigUInt64LE(offsets.sequence), datagram.readBigUInt64LE(offsets.sequence));
    assert.ok(isSignedClaim(token, answer));
  }
}

const claims = Object.values(claim.kinds).map(kind => [claimOf(kind)]);
const events = [
  [
    encodeInputEvents([
      { type: 1, code: 30, value: 1 },
      { type: 0, code: 0, value: 0 },
    ]),
  ].map(Buffer.from),
];

export const wireTargets: readonly Target[] = [
  decoder(
    'bulk-frames',
    'the stream of frames, whole and in pieces',
    random => mutate(random, [bulk]),
    readFrames,
  ),
  decoder(
    'helper-reports',
    'what the helper tells its agent',
    random => mutate(random, [reports]),
    readReports,
  ),
  decoder(
    'claims',
    'claim datagrams, where the agent answers them',
    random => mutate(random, claims),
    answerClaim,
  ),
  decoder('pairing', 'what comes to the pairing port', random => mutate(random, pairings), pairWith),
  decoder('input-events', 'keys from a lender', random => mutate(random, events), decodeInputEvents),
];
