// How a move that did not end well is remembered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { outcomeOf } from './outcome.ts';

const fault = yadoError('internal', { computer: 'b', reason: 'no bridge' });

test('what does not come up behind an arrival does not make it a roll back', () => {
  assert.equal(outcomeOf(fault, { outcome: 'arrived' }), 'moved');
  assert.equal(outcomeOf(fault, { outcome: 'returned' }), 'rolledBack');
  assert.equal(outcomeOf(fault), 'rolledBack');
});

test('refused and cancelled moves are told apart', () => {
  assert.equal(outcomeOf(yadoError('busy', { computer: 'b', activity: 'it moves' })), 'refused');
  assert.equal(outcomeOf(yadoError('cancelled', { computer: 'b', source: 'a' })), 'cancelled');
});
