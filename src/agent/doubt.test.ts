// A computer that does not know where its OS is: what settles it, that it settles it once, and that the disk says so first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claim } from '#wire/frames.ts';
import { isSignedClaim, signClaim } from './claim-mac.ts';
import { Doubt, type DoubtWorld, type Whereabouts } from './doubt.ts';

const key = new Uint8Array(32).fill(0xab);
const move = { epoch: 7, to: { name: 'b', address: '10.77.0.2' }, key };

function claimOf(epoch: bigint, signedWith: Uint8Array): Buffer {
  const datagram = Buffer.alloc(claim.bytes);
  datagram.writeUInt32LE(claim.magic, claim.offsets.magic);
  datagram.writeUInt16LE(3, claim.offsets.version);
  datagram.writeUInt16LE(claim.kinds.claim, claim.offsets.kind);
  datagram.writeBigUInt64LE(epoch, claim.offsets.epoch);
  signClaim(signedWith, datagram);
  return datagram;
}

/** B answers with each of these in turn, and with the last for ever. */
function doubtWith(answers: readonly (Whereabouts | Error)[], changes: Partial<DoubtWorld> = {}) {
  const done: string[] = [];
  const left = [...answers];
  const world: DoubtWorld = {
    state: 'leaving',
    move,
    markLeft: () => void done.push('left'),
    clear: () => void done.push('clear'),
    ask: async () => {
      const answer = left.length > 1 ? left.shift() : left[0];
      done.push('ask');
      if (answer instanceof Error) throw answer;
      return answer ?? 'arriving';
    },
    say: text => void done.push(text),
    everyMs: 1,
    now: () => 5n,
    ...changes,
  };
  const doubt = new Doubt(world);
  const writes = () => done.filter(each => each === 'left' || each === 'clear');
  return { doubt, done, writes, [Symbol.dispose]: () => doubt.close() };
}

const silent = new Error('b does not answer');

test('B has the OS: it has left, and is never started here', async () => {
  using it = doubtWith([silent, 'arriving', 'here']);
  assert.equal(await it.doubt.decided, 'left');
  assert.deepEqual(it.writes(), ['left']);
  assert.ok(it.done.includes('b does not answer'), 'a person can read what it waits for');
  assert.ok(it.doubt.heard());
  assert.deepEqual(it.writes(), ['left']);
});

test('B will never have it: the mark goes first, then it is started; a copy is not granted any more', async () => {
  using it = doubtWith(['nowhere']);
  assert.equal(await it.doubt.decided, 'starts');
  assert.deepEqual(it.writes(), ['clear']);
  assert.equal(it.doubt.answer(claimOf(7n, key)), undefined);
  assert.equal(it.doubt.heard(), false);
  assert.deepEqual(it.writes(), ['clear']);
});

test('a copy that claims is granted once the disk says so, and again as often as it asks', async () => {
  using it = doubtWith([silent]);
  assert.equal(it.doubt.answer(claimOf(6n, key)), undefined);
  assert.equal(it.doubt.answer(claimOf(7n, new Uint8Array(32))), undefined);
  assert.deepEqual(it.writes(), [], 'nobody else is believed');
  for (let times = 0; times < 2; times++) {
    const grant = it.doubt.answer(claimOf(7n, key));
    assert.ok(grant);
    assert.equal(grant.readUInt16LE(claim.offsets.kind), claim.kinds.grant);
    assert.ok(isSignedClaim(key, grant));
  }
  assert.deepEqual(it.writes(), ['left']);
  assert.equal(await it.doubt.decided, 'left');
});

test('nothing is granted or started while the disk cannot be written', async () => {
  const fail = (): never => {
    throw new Error('EIO');
  };
  using it = doubtWith(['nowhere'], { markLeft: fail, clear: fail });
  assert.equal(it.doubt.answer(claimOf(7n, key)), undefined);
  assert.equal(it.doubt.heard(), false);
  while (!it.done.includes('the disk cannot be written: EIO')) await new Promise(setImmediate);
  assert.equal(it.doubt.decision, undefined);
  assert.throws(() => it.doubt.resume(), /EIO/);
  assert.equal(it.doubt.decision, undefined);
});

test('a disk that says `left` asks nobody, and still grants the copy that has not heard of its grant', async () => {
  using it = doubtWith(['nowhere'], { state: 'left' });
  assert.equal(await it.doubt.decided, 'left');
  assert.ok(it.doubt.answer(claimOf(7n, key)));
  assert.deepEqual(it.done, []);
});

test('a person decides where nobody answers, and also against what was decided', async () => {
  using waiting = doubtWith([silent]);
  waiting.doubt.resume();
  assert.equal(await waiting.doubt.decided, 'starts');
  using left = doubtWith([silent], { state: 'left' });
  left.doubt.resume();
  assert.equal(left.doubt.decision, 'starts');
  assert.deepEqual(left.writes(), ['clear']);
  assert.equal(left.doubt.answer(claimOf(7n, key)), undefined);
});
