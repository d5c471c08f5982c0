// The list of checks as a whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preflightChecks } from './preflight-checks.ts';

test('every check has a name of its own, and says why it is there in whole sentences', () => {
  const ids = preflightChecks.map(each => each.id);
  assert.equal(new Set(ids).size, ids.length);
  for (const each of preflightChecks) assert.match(each.why, /^[A-Z].*\.$/, each.id);
});
