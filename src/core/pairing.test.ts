// Pairing as a game of messages: two that are alone get the same code, whoever sits in between does not give it to both.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  awaitPairing,
  callForPairing,
  type PairingHalf,
  type PairingMessage,
  type PairingState,
  type PairingStep,
  pairingStep,
} from './pairing.ts';

const hash = (text: string): Uint8Array => createHash('sha256').update(text).digest();
const random = (): string => randomBytes(32).toString('base64url');
const half = (name: string, key = random()): PairingHalf => ({ name, key, nonce: random() });
const next = (step: PairingStep, message: PairingMessage | undefined): PairingStep => {
  assert.ok(message, 'a message was to come');
  return pairingStep(step.state, { message }, hash);
};
const codeOf = ({ state }: PairingStep): string => (state.at === 'comparing' ? state.code : state.at);
const whyOf = ({ state }: PairingStep): string => (state.at === 'ended' ? state.why : state.at);

/** Both sides up to the code, everything carried faithfully. */
function alone(os = half('crab'), computer = half('b')) {
  const called = callForPairing(os, 'b', hash);
  const offered = next(awaitPairing(computer), called.send[0]);
  const osSide = next(called, offered.send[0]);
  const computerSide = next(offered, osSide.send[0]);
  return { os, computer, called, offered, osSide, computerSide };
}

const agree = (step: PairingStep): PairingStep => pairingStep(step.state, { agrees: true }, hash);

test('two that are alone see the same six digits, and are paired when both agree', () => {
  const { os, computer, osSide, computerSide } = alone();
  assert.match(codeOf(osSide), /^\d{6}$/);
  assert.equal(codeOf(osSide), codeOf(computerSide));
  const osAgreed = agree(osSide);
  const computerAgreed = next(agree(computerSide), osAgreed.send[0]);
  assert.deepEqual(computerAgreed.state, { at: 'paired', them: { name: 'crab', key: os.key } });
  assert.equal(osAgreed.state.at, 'comparing', 'one yes is not enough');
  const done = next(osAgreed, agree(computerSide).send[0]);
  assert.deepEqual(done.state, { at: 'paired', them: { name: 'b', key: computer.key } });
});

test('somebody in between with keys of their own: the codes differ', () => {
  const mallory = random();
  const seen = new Set<string>();
  for (let tries = 0; tries < 200; tries++) {
    const called = callForPairing(half('crab'), 'b', hash);
    const toComputer = callForPairing(half('crab', mallory), 'b', hash);
    const offered = next(awaitPairing(half('b')), toComputer.send[0]);
    const toOs = next(awaitPairing(half('b', mallory)), called.send[0]);
    const osSide = next(called, toOs.send[0]);
    const computerSide = next(offered, next(toComputer, offered.send[0]).send[0]);
    assert.notEqual(codeOf(osSide), codeOf(computerSide));
    seen.add(codeOf(osSide)).add(codeOf(computerSide));
  }
  assert.ok(seen.size > 390, 'codes that repeat could be hit on');
});

test('a key that is exchanged after the commitment is noticed', () => {
  const { offered, os } = alone();
  const other: PairingMessage = { type: 'reveal', key: random(), nonce: os.nonce };
  assert.equal(whyOf(next(offered, other)), 'forged');
  const otherNonce: PairingMessage = { type: 'reveal', key: os.key, nonce: random() };
  assert.equal(whyOf(next(offered, otherNonce)), 'forged');
});

test('what was said in another pairing is worth nothing in this one', () => {
  const before = alone();
  const offered = next(awaitPairing(half('b')), before.called.send[0]);
  const replayed = next(offered, before.osSide.send[0]);
  assert.notEqual(codeOf(replayed), codeOf(before.computerSide), 'a fresh nonce, a fresh code');
});

test('a name is covered by the code, and must be the one that was asked for', () => {
  const { called, offered } = alone();
  const renamed = { ...offered.send[0], name: 'c' } as PairingMessage;
  const step = next(called, renamed);
  assert.deepEqual(step.state, { at: 'ended', why: 'otherName', name: 'c' });
  const os = half('crab');
  const asLobster = { ...callForPairing(os, 'b', hash).send[0], name: 'lobster' } as PairingMessage;
  const open = next(awaitPairing(half('b')), asLobster);
  assert.equal(whyOf(next(open, { type: 'reveal', key: os.key, nonce: os.nonce })), 'forged');
});

test('a no on either side ends both', () => {
  const { osSide, computerSide } = alone();
  const no = pairingStep(osSide.state, { agrees: false }, hash);
  assert.equal(whyOf(no), 'declinedHere');
  assert.equal(whyOf(next(computerSide, no.send[0])), 'declinedThere');
  assert.equal(whyOf(next(agree(computerSide), no.send[0])), 'declinedThere');
});

test('a yes before there is a code is none', () => {
  const { called, offered } = alone();
  for (const step of [called, offered]) {
    const early = agree(step);
    assert.deepEqual([early.state, early.send], [step.state, []]);
    assert.equal(whyOf(next(step, { type: 'verdict', agrees: true })), 'outOfOrder');
  }
});

test('time and a lost connection end it in every state; nothing follows an end', () => {
  const { called, offered, osSide } = alone();
  for (const step of [called, offered, osSide, agree(osSide)]) {
    for (const stop of ['late', 'lost'] as const) {
      const over = pairingStep(step.state, { stop }, hash);
      assert.equal(whyOf(over), stop);
      assert.deepEqual(agree(over), { state: over.state, send: [] });
    }
  }
});

test('whatever comes in whatever order: only two yes behind a code pair', () => {
  const { called, offered, osSide } = alone();
  const verdict = (agrees: boolean): PairingMessage => ({ type: 'verdict', agrees });
  const messages = [called.send[0], offered.send[0], osSide.send[0], verdict(true), verdict(false)];
  const event = fc.oneof(
    fc.constantFrom(...messages.map(message => ({ message: message! }))),
    fc.boolean().map(agrees => ({ agrees })),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 8 }), fc.boolean(), (events, isOs) => {
      let state: PairingState = isOs ? called.state : awaitPairing(half('b')).state;
      let compared = false;
      let yes = 0;
      for (const each of events) {
        if (compared && 'agrees' in each && each.agrees) yes++;
        state = pairingStep(state, each, hash).state;
        compared ||= state.at === 'comparing';
      }
      assert.ok(state.at !== 'paired' || (compared && yes > 0));
    }),
  );
});
