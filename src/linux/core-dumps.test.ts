import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C } from '#linux/abi.ts';
import { forbidCoreDumps } from '#linux/core-dumps.ts';
import { prctl } from '#linux/ffi.ts';

test('a process that holds keys leaves no core dump', () => {
  assert.equal(prctl(C.PR_GET_DUMPABLE), 1);
  forbidCoreDumps();
  assert.equal(prctl(C.PR_GET_DUMPABLE), 0);
});
