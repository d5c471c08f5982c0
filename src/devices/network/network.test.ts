// Which port of the bridge is the card that a move is planned for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cardAmong } from './network.ts';

const [tap, eth0, eth1] = [{ name: 'tap0' }, { name: 'eth0' }, { name: 'eth1' }];

test('of several ports the one that is a network card on PCI', () => {
  assert.equal(
    cardAmong([tap, eth0], () => ['eth0', 'eth1']),
    eth0,
  );
  assert.equal(
    cardAmong([tap, eth0, eth1], () => ['eth1']),
    eth1,
  );
  assert.equal(
    cardAmong([tap, eth0], () => []),
    tap,
  );
});

test('where there is only one port, no card is looked for', () => {
  const fail = (): string[] => assert.fail('looked');
  assert.equal(cardAmong([tap], fail), tap);
  assert.equal(cardAmong([], fail), undefined);
});
