// Which machine addresses find each other without a gateway.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computerAt, inNetworkOf, machineAddressOf, reachEachOther } from './machine-address.ts';

test('each has to lie in the network of the other', () => {
  assert.ok(reachEachOther('10.0.1.11/24', '10.0.1.12/24'));
  assert.ok(reachEachOther('10.0.1.11/24', '10.0.1.12/16'));
  assert.ok(reachEachOther('192.168.1.11/24', '192.168.1.255/24'));
  assert.ok(!reachEachOther('10.0.1.11/24', '10.0.2.12/24'));
  assert.ok(!reachEachOther('10.0.1.11/24', '10.0.2.12/16'), 'only one finds the other');
  assert.ok(!reachEachOther('10.0.1.140/25', '10.0.1.11/24'), 'only one finds the other');
});

test('what is no IPv4 address is no reason to refuse', () => {
  for (const each of ['', '10.0.1.11', '10.0.1/24', '10.0.1.300/24', '10.0.1.11/33', 'fe80::1/64'])
    assert.ok(reachEachOther(each, '10.0.2.12/24'), each);
});

test('a computer keeps the prefix length that it was given, and takes the one that it tells itself', () => {
  const a = computerAt('a', '10.0.5.11/22');
  assert.deepEqual(a, { name: 'a', address: '10.0.5.11', prefixLength: 22 });
  assert.equal(machineAddressOf(a), '10.0.5.11/22');
  const b = computerAt('b', '10.0.6.12');
  assert.equal(machineAddressOf(b), '10.0.6.12/24');
  assert.equal(machineAddressOf(inNetworkOf(b, '10.0.6.12/22')), '10.0.6.12/22');
  assert.deepEqual(inNetworkOf(b), b, 'a computer without a card has said nothing');
});
