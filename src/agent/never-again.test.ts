// A standby that has said it has not got an OS takes in no copy of that move, and every later one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { YadoError } from '#core/errors.ts';
import { NeverAgain } from './never-again.ts';

test('what was promised is refused for good; a later epoch and another OS are not', () => {
  const never = new NeverAgain('b');
  never.refuse({ osId: 'crab', epoch: 7 });
  never.promise({ osId: 'crab', epoch: 7 });
  never.promise({ osId: 'crab', epoch: 5 });
  for (const epoch of [4, 5, 7])
    assert.throws(
      () => never.refuse({ osId: 'crab', epoch }),
      (error: unknown) => error instanceof YadoError && error.code === 'staleEpoch',
    );
  never.refuse({ osId: 'crab', epoch: 8 });
  never.refuse({ osId: 'lobster', epoch: 7 });
});
