// Pulls the cable and the plugs at every step of a move: the real frozen helpers on two fake kernels. At no time two
// computers run the OS; what follows is what `outerResults` of src/core/faults.ts says.

import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultName, type FaultPoint, faultPoints } from '#core/faults.ts';
import { scaled } from '#lab/time.ts';
import {
  armed,
  type FaultyMove,
  faultyMove,
  pointsOfHelpers,
  times,
  together,
} from '../native/frozen/test/fault-world.ts';
import { slowGhost } from '../native/frozen/test/world.ts';

mock.method(console, 'log', () => {});
/** So late that whatever happens outside mostly happens meanwhile. */
const heldMs = scaled(600);
/** As 5 s are to the time-outs of a computer (src/agent/timeouts.ts). */
const cutMs = (times.stallMs * 5) / 6;

/**
 * A move to which something has happened from outside while a step of it was late. A machine that is so busy that the step
 * was over by then says nothing about it: the move is made again, with a step that is later.
 */
async function happensMeanwhile(
  name: FaultName,
  lateMs: number,
  outside: (moved: FaultyMove) => void | Promise<void>,
): Promise<FaultyMove> {
  for (let heldMs = lateMs; ; heldMs *= 2) {
    const moved = await faultyMove(armed(name, 'delay', heldMs));
    let tookMs = Number.POSITIVE_INFINITY;
    try {
      const notYet = await moved.struck(name);
      await outside(moved);
      tookMs = performance.now() - notYet;
    } finally {
      if (tookMs >= heldMs) await moved[Symbol.asyncDispose]();
    }
    if (tookMs < heldMs) return moved;
    assert.ok(heldMs < 8 * lateMs, `this machine is too busy: ${tookMs} ms until something happened outside`);
  }
}

/** Each runs until a step is late, then something happens to a computer or to the cable, and it is seen what follows. */
function everywhere(
  what: string,
  outside: (moved: FaultyMove) => void,
  follows: (moved: FaultyMove, point: FaultPoint) => Promise<void>,
): void {
  describe(what, together, () => {
    for (const name of pointsOfHelpers) {
      const point = faultPoints[name];
      if (!point.kinds.delay) continue;
      test(`when it ${point.step} (${name})`, async () => {
        await using moved = await happensMeanwhile(name, heldMs, outside);
        await follows(moved, point);
      });
    }
  });
}

const cableIsCut = (moved: FaultyMove): void => moved.world.cable.cut();
const losesPower =
  (computer: 'A' | 'B') =>
  (moved: FaultyMove): void => {
    moved.world.cable.cut();
    moved.powerOff(computer);
  };

everywhere('the cable is pulled and put back', cableIsCut, async (moved, { stage }) => {
  await sleep(cutMs);
  moved.world.cable.heal();
  const error = await moved.told;
  const owner = error ? 'A' : 'B';
  if (stage === 'granted') assert.equal(owner, 'B');
  if (stage === 'returning') assert.equal(owner, 'A');
  await moved.rest(`the OS runs at ${owner} alone`, () => moved.owners().join() === owner);
  if (error) await moved.rest('B is a standby', () => moved.isStandby());
});

everywhere('B loses power', losesPower('B'), async (moved, { stage }) => {
  let error: Error | undefined;
  void moved.told.then(told => {
    error = told;
  });
  if (stage !== 'granted')
    await moved.rest('A has it, or has given it away', () => error !== undefined || moved.mark() === 'left');
  if (stage === 'granted' || !error) {
    assert.ok(stage === 'granted' || stage === 'handedOver', 'a claim can have been on its way');
    // Whoever comes too late with a power switch has the OS on its disk: A has given it away.
    await moved.rest('the OS runs nowhere', () => moved.owners().length === 0);
    return;
  }
  await moved.rest('the OS runs at A', () => moved.owners().join() === 'A');
});

everywhere('A loses power, and is switched on again', losesPower('A'), async (moved, { stage }) => {
  await sleep(cutMs);
  if (stage !== 'granted')
    assert.deepEqual(moved.owners(), [], 'what has no grant does not run, however long it waits');
  await moved.powerOn();
  moved.world.cable.heal();
  await moved.rest('one OS runs', () => moved.owners().length === 1);
  if (moved.owners()[0] === 'A') await moved.rest('B is a standby', () => moved.isStandby());
});

describe('A loses power between the mark and the grant', together, () => {
  /** The mark is on the disk, the copy is about to ask, and nobody has granted anything. */
  const cutBefore = (point: 'source.claim' | 'source.grant' | 'copy.arrive'): Promise<FaultyMove> =>
    happensMeanwhile(point, scaled(2000), async moved => {
      await moved.rest('the disk is marked', () => moved.mark() !== '');
      losesPower('A')(moved);
    });

  for (const point of ['copy.arrive', 'source.claim', 'source.grant'] as const) {
    test(`the copy at B is there (${point}): A does not start the OS, and grants it when it is on again`, async () => {
      await using moved = await cutBefore(point);
      assert.deepEqual(moved.owners(), []);
      await moved.powerOn();
      await sleep(cutMs / 2);
      assert.deepEqual(moved.owners(), [], 'A knows nothing of B, and waits');
      moved.world.cable.heal();
      await moved.rest('the OS runs at B alone', () => moved.owners().join() === 'B');
      assert.equal(moved.mark(), 'left');
    });
  }

  test('between the grant and what the ghost writes then: B has the OS, and A serves it', async () => {
    await using moved = await faultyMove({ ghost: slowGhost });
    await moved.rest('the OS runs at B', () => moved.owners().join() === 'B');
    moved.world.cable.cut();
    moved.powerOff('A');
    assert.equal(moved.mark(), 'leaving');
    await moved.powerOn();
    await sleep(cutMs / 2);
    assert.deepEqual(moved.owners(), ['B'], 'A knows nothing of B, and waits');
    moved.world.cable.heal();
    await moved.rest('A knows it', () => moved.mark() === 'left');
    assert.deepEqual(moved.owners(), ['B']);
  });

  test('B has lost power too: it comes up as a standby and says so, A starts the OS from its disk', async () => {
    await using moved = await cutBefore('source.claim');
    moved.powerOff('B');
    moved.comesUpAsStandby();
    await moved.powerOn();
    moved.world.cable.heal();
    await moved.rest('the OS runs at A alone', () => moved.owners().join() === 'A');
    assert.equal(moved.mark(), '');
  });

  test('B is gone for good: A waits until a person types yado resume', async () => {
    await using moved = await cutBefore('source.claim');
    moved.powerOff('B');
    await moved.powerOn();
    moved.world.cable.heal();
    await sleep(cutMs / 2);
    assert.deepEqual(moved.owners(), []);
    moved.resume();
    await moved.rest('the OS runs at A alone', () => moved.owners().join() === 'A');
    assert.equal(moved.mark(), '');
  });
});
