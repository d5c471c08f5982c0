// Walks every fault point of src/core/faults.ts, in every way it can fail: the real frozen helpers on two fake kernels. At
// no time two computers run the OS; in the end it is where the table says, what was put aside is back, B can take in an
// OS again, and the message names the cause.

import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { isErrorCode } from '#core/errors.ts';
import { type FaultKind, type FaultResult, faultPoints } from '#core/faults.ts';
import {
  armed,
  type FaultyMove,
  faultyMove,
  lateMs,
  pointsOfHelpers,
  together,
} from '../native/frozen/test/fault-world.ts';
import { logOf } from '../native/frozen/test/helpers.ts';

mock.method(console, 'log', () => {});
async function holds(moved: FaultyMove, { end, code }: FaultResult): Promise<void> {
  const { world, told } = moved;
  const error = await told;
  assert.equal(error?.code, code, `${error?.message}`);
  if (error) {
    assert.ok(isErrorCode(error.code) && error.hint !== '');
    assert.match(error.message, /\b[ab]\b.*\.$/);
  }
  const owner = end === 'moves' ? 'B' : 'A';
  await moved.rest(`the OS runs at ${owner} alone`, () => moved.owners().join() === owner);
  const log = logOf(world.folder);
  if (end === 'moves') {
    assert.ok(world.ran().includes('adopt'), 'the network of B is taken over');
    assert.notEqual(moved.mark(), '', 'A could not start it a second time');
    return;
  }
  if (end === 'stays') assert.ok(!log.includes('A freeze'), 'nothing was stopped');
  if (log.includes('A freeze')) assert.ok(world.ran().includes('back'), 'the devices of A are back');
  assert.equal(moved.mark(), '', 'nothing speaks against starting the OS from its disk');
  await moved.rest('B is a standby', () => moved.isStandby());
}

describe('every fault point, in every way', together, () => {
  for (const name of pointsOfHelpers) {
    for (const [kind, result] of Object.entries(faultPoints[name].kinds) as [FaultKind, FaultResult][]) {
      test(`${name}:${kind}: ${result.end} ${result.code ?? ''}`, async () => {
        await using moved = await faultyMove(armed(name, kind, kind === 'delay' ? lateMs : result.n));
        await moved.struck(name);
        await holds(moved, result);
      });
    }
  }
});
