// Errors: sentences are complete, hints are there, codes keep their families.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asYadoError, errorTable, families, YadoError, yadoError } from './errors.ts';
import { errorsMarkdown } from './errors-docs.ts';

test('the sentence and the hint get their parameters', () => {
  const cause = new Error('ECONNREFUSED');
  const error = yadoError('unreachable', { computer: 'b', address: '192.0.2.2' }, cause);
  assert.equal(error.message, 'b does not answer at 192.0.2.2.');
  assert.match(error.hint, /b is switched on/);
  assert.equal(error.exitCode, 3);
  assert.equal(error.cause, cause);
  assert.deepEqual(Object.keys(error.toJSON()), ['code', 'message', 'hint']);
});

test('a parameter with braces is not expanded again', () => {
  const error = yadoError('badRequest', { reason: '{reason} $& {x}' });
  assert.equal(error.message, 'The request was not understood: {reason} $& {x}.');
});

test('every code has a sentence with a full stop and a hint', () => {
  for (const [code, { what, hint, family }] of Object.entries(errorTable)) {
    assert.match(what, /[.}]$/, code);
    assert.ok(hint.length > 3, code);
    assert.ok(family in families, code);
  }
});

test('exit codes of the families differ', () => {
  const codes = Object.values(families).map(family => family.exitCode);
  assert.equal(new Set(codes).size, codes.length);
});

test('anything thrown becomes a YadoError, and a YadoError stays itself', () => {
  const known = yadoError('notGhost', { computer: 'a', role: 'active' });
  assert.equal(asYadoError(known, 'a'), known);
  const unknown = asYadoError('boom', 'a');
  assert.ok(unknown instanceof YadoError);
  assert.equal(unknown.code, 'internal');
  assert.match(unknown.message, /on a: boom/);
});

test('docs/errors.md names every code', () => {
  const text = errorsMarkdown();
  for (const code of Object.keys(errorTable)) assert.ok(text.includes(`\`${code}\``), code);
});
