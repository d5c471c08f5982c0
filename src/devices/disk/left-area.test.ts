// Where swap is on a disk that stays, in a tree that looks like /sys: only what would be found again has a place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { placeOfArea } from './left-area.ts';

const card = (address: string): string => `sys/devices/pci0000:00/${address}`;
function block(name: string, path: string, number: string, extra: Tree = {}): Tree {
  return {
    [`${path}/dev`]: `${number}\n`,
    [`${path}/size`]: '8\n',
    [`sys/class/block/${name}`]: { link: path },
    ...Object.fromEntries(Object.entries(extra).map(([file, content]) => [`${path}/${file}`, content])),
  };
}
const alone = `${card('0000:00:06.0')}/virtio2/block/vda`;
const two = (name: string): string => `${card('0000:00:1f.2')}/${name}/block/${name}`;

test('a partition of a disk that is found again has a place, and nothing else', () => {
  using tree = new FixtureTree({
    ...block('vda', alone, '254:0'),
    ...block('vda2', `${alone}/vda2`, '254:2', { partition: '2\n' }),
    ...block('sda', two('sda'), '8:0'),
    ...block('sdb', two('sdb'), '8:16'),
    ...block('sdc', two('sdc'), '8:32', { serial: 'this one' }),
    ...block('nbd0', 'sys/devices/virtual/block/nbd0', '43:0'),
    ...block('loop0', 'sys/devices/virtual/block/loop0', '7:0'),
  });
  const placeOf = (path: string) => placeOfArea(path, tree.root);
  assert.deepEqual(placeOf('/dev/vda2'), { pciAddress: '0000:00:06.0', partition: 2 });
  assert.equal(placeOf('/dev/sdc')?.pciAddress, '0000:00:1f.2');
  for (const none of ['/dev/sda', '/dev/sdb', '/dev/nbd0', '/dev/loop0', '/dev/vdz', ''])
    assert.equal(placeOf(none), undefined, none);
});
