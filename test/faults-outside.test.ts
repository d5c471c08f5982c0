// Pulls the cable and the plugs at every step of a move: the real frozen helpers on two fake kernels. At no time two
// computers run the OS; what follows is what `outerResults` of src/core/faults.ts says.

import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultPoint, faultPoints } from '#core/faults.ts';
import {
  armed,
  type FaultyMove,
  faultyMove,
  lateMs,
  pointsOfHelpers,
  times,
  together,
} from '../native/frozen/test/fault-world.ts';

mock.method(console, 'log', () => {});
/** As 5 s are to the time-outs of a computer (src/agent/timeouts.ts). */
const cutMs = (times.stallMs * 5) / 6;

/** Each runs until a step is late, and then something happens to a computer or to the cable. */
function everywhere(what: string, body: (moved: FaultyMove, point: FaultPoint) => Promise<void>): void {
  describe(what, together, () => {
    for (const name of pointsOfHelpers) {
      const point = faultPoints[name];
      if (!point.kinds.delay) continue;
      test(`when it ${point.step} (${name})`, async () => {
        await using moved = await faultyMove(armed(name, 'delay', lateMs));
        await moved.struck(name);
        await body(moved, point);
      });
    }
  });
}

everywhere('the cable is pulled and put back', async (moved, { stage }) => {
  moved.world.cable.cut();
  await sleep(cutMs);
  moved.world.cable.heal();
  const error = await moved.told;
  const owner = error ? 'A' : 'B';
  if (stage === 'granted') assert.equal(owner, 'B');
  if (stage === 'returning') assert.equal(owner, 'A');
  await moved.rest(`the OS runs at ${owner} alone`, () => moved.owners().join() === owner);
  if (error) await moved.rest('B is a standby', () => moved.isStandby());
});

everywhere('B loses power', async (moved, { stage }) => {
  moved.world.cable.cut();
  moved.powerOff('B');
  if (stage === 'granted') {
    // Whoever comes too late with a power switch has the OS on its disk: A has given it away.
    await moved.rest('the OS runs nowhere', () => moved.owners().length === 0);
    return;
  }
  const error = await moved.told;
  assert.ok(error);
  await moved.rest('the OS runs at A', () => moved.owners().join() === 'A');
});

everywhere('A loses power', async (moved, { stage }) => {
  moved.world.cable.cut();
  moved.powerOff('A');
  await sleep(cutMs);
  if (stage !== 'granted')
    assert.deepEqual(moved.owners(), [], 'what has no grant does not run, however long it waits');
  if (moved.owners().length === 0) await moved.powerOn();
  moved.world.cable.heal();
  await moved.rest('one OS runs', () => moved.owners().length === 1);
  if (moved.owners()[0] === 'A') await moved.rest('B is a standby', () => moved.isStandby());
});
