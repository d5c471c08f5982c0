import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from './redis-client.ts';

function answered(ledger: Ledger, requests: number): string[] {
  let count = 0;
  return Array.from({ length: requests }, () => {
    const request = ledger.next();
    ledger.take(request.startsWith('INCR') ? `:${++count}` : '+OK');
    return request;
  });
}

test('counts and writes the count under a key, in turn', () => {
  const ledger = new Ledger();
  assert.deepEqual(answered(ledger, 4), ['INCR count', 'SET key-1 1', 'INCR count', 'SET key-2 2']);
  assert.deepEqual(ledger.faults, []);
  assert.equal(ledger.writes, 4);
});

test('knows what must be stored, also after more counts than keys', () => {
  const ledger = new Ledger();
  answered(ledger, 6);
  assert.deepEqual(ledger.stored().slice(0, 5), [null, '1', '2', '3', null]);
  const long = new Ledger();
  answered(long, 2 * 1002 + 1); // the last count was not written under its key
  assert.deepEqual(long.stored().slice(0, 4), ['1000', '1001', '1002', '3']);
});

test('a lost or a repeated write is a fault', () => {
  for (const count of [':1', ':3']) {
    const ledger = new Ledger();
    answered(ledger, 2);
    ledger.next();
    ledger.take(count);
    assert.deepEqual(ledger.faults, [`write 3: ${count} instead of :2`]);
  }
});
