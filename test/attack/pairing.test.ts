// Somebody in the middle of a pairing (TCP 7403): whatever is done to a message on the way, nobody is paired with anybody
// but the one whose code was compared, and both can begin anew. That a code counts only for its time, and only when both persons have confirmed it: src/agent/pairings.test.ts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mock, type TestContext, test } from 'node:test';
import { pairingPort } from '#wire/pairing.ts';
import { connectTo, strangers, usual } from '../../src/agent/fake-pairing.ts';
import { attacks, type Change, message, relay, unchanged } from './relay.ts';

mock.method(console, 'log', () => {});
const [seenAt, address] = ['127.0.0.71', '127.0.0.72'];

const outcome = (confirmed: Promise<unknown>): Promise<string> =>
  confirmed.then(
    () => 'paired',
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

async function between(t: TestContext, change: Change) {
  const it = strangers(t, address, { ...usual, exchangeMs: 300 }, 'b', seenAt);
  const there = { host: address, port: pairingPort };
  const middle = await relay({ host: seenAt, port: pairingPort }, there, message, change);
  t.after(() => middle[Symbol.asyncDispose]());
  /** Both persons say yes to whatever code they see. What came of it: at the OS, then at the computer. */
  const pair = async (): Promise<string[]> => {
    const accepting = it.accept().catch(() => undefined);
    const shown = await it.pair().catch(() => undefined);
    if (!shown) return [];
    const there = accepting.then(seen => (seen ? outcome(it.confirmThere(seen.code)) : 'no code'));
    const here = await outcome(it.confirmHere(shown.code));
    return here === 'paired' ? [here, await there] : [here];
  };
  const pinned = () => [it.osKeys.pinOf('b'), it.computerKeys.keys.owners.length];
  return { it, pair, pinned, middle };
}

for (const [number, name] of ['commitment', 'reveal'].entries())
  for (const [what, attack] of Object.entries(attacks(number, 0, 4))) {
    if (number === 0 && what === 'reordered') continue; // it says nothing more before there is an answer
    test(`pairing, the ${name} ${what}: nobody is paired with anybody else, and both can begin anew`, async t => {
      const { it, pair, pinned } = await between(t, attack());
      const results = await pair();
      assert.notDeepEqual(results, ['paired', 'paired']);
      // Both persons have compared the codes by then: one side may know already what the other is not told any more.
      const key = results.includes('paired') ? it.computerKeys.server.identity.publicKey : undefined;
      assert.deepEqual(pinned(), [key, 0]);
      assert.deepEqual(await pair(), ['paired', 'paired']); // what comes now is left as it is
    });
  }

test('pairing, a whole recorded one played again: the code is another, and counts for nobody', async t => {
  const { it, pair, pinned, middle } = await between(t, unchanged);
  assert.deepEqual(await pair(), ['paired', 'paired']);
  it.computerKeys.disown('crab');
  const accepting = it.accept();
  const again = await connectTo(address);
  again.resume().write(Buffer.concat(middle.recorded)); // with the word that it was compared
  const { code } = await accepting;
  assert.equal(await outcome(it.confirmThere(code, false)), 'pairingDeclined');
  await once(again, 'close');
  assert.equal(pinned()[1], 0);
});
