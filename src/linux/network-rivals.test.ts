// Services that take network cards, from a directory that looks like /proc, /sys and /run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { readNetworkRivals } from '#linux/network-rivals.ts';

const tree: Tree = {
  'sys/class/net/enp3s0/ifindex': '2\n',
  'proc/1/comm': 'systemd\n',
  'proc/400/comm': 'systemd-network\n',
  'proc/812/comm': 'NetworkManager\n',
  'proc/813/comm': 'dhcpcd\n',
  'proc/self/comm': 'connmand\n',
};
const managed = (text: string): Tree => ({
  ...tree,
  'run/NetworkManager/devices/2': `[device]\n${text}\n`,
});

test('those that run are named, with the unit that a person switches off', () => {
  using other = new FixtureTree(tree);
  assert.deepEqual(readNetworkRivals('enp3s0', other.root), [
    { program: 'NetworkManager (pid 812)', unit: 'NetworkManager' },
    { program: 'dhcpcd (pid 813)', unit: 'dhcpcd' },
  ]);
  assert.equal(readNetworkRivals(undefined, other.root).length, 2);
});

test('NetworkManager that was told to leave the card alone is none', () => {
  using leaves = new FixtureTree(managed('managed=false'));
  assert.deepEqual(
    readNetworkRivals('enp3s0', leaves.root).map(each => each.unit),
    ['dhcpcd'],
  );
  using has = new FixtureTree(managed('managed=true'));
  assert.equal(readNetworkRivals('enp3s0', has.root).length, 2);
});
