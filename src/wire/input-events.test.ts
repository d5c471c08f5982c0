// Input events on the wire: fixed bytes, and any event survives.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeInputEvents, encodeInputEvents } from './input-events.ts';
import { WireError } from './wire-error.ts';

test('the letter A goes down', () => {
  const bytes = Uint8Array.from([1, 0, 30, 0, 1, 0, 0, 0]); // EV_KEY, KEY_A, 1
  assert.deepEqual(encodeInputEvents([{ type: 1, code: 30, value: 1 }]), bytes);
  assert.deepEqual(decodeInputEvents(bytes), [{ type: 1, code: 30, value: 1 }]);
});

test('every event comes out as it went in, wherever its bytes lie', () => {
  const u16 = fc.integer({ min: 0, max: 0xffff });
  const event = fc.record({ type: u16, code: u16, value: fc.integer() }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 50 }), fc.nat(7), (events, shift) => {
      const moved = Buffer.concat([Buffer.alloc(shift), encodeInputEvents(events)]).subarray(shift);
      assert.deepEqual(decodeInputEvents(moved), events);
    }),
  );
});

test('half records and floods are refused', () => {
  for (const length of [1, 7, 9, 513 * 8])
    assert.throws(() => decodeInputEvents(new Uint8Array(length)), WireError);
});
