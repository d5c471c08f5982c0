// What lies beneath the stub, in a tree that looks like /sys: a linear volume has a place, everything else a name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRootTrouble, type RootTrouble } from '#core/root-trouble.ts';
import { describeName } from '#linux/block.ts';
import type { DmTarget } from '#linux/device-mapper.ts';
import { tableOfParts, type VolumePart } from '#linux/dm-parts.ts';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import type { LvmVolume } from '#linux/lvm-metadata.ts';
import { inspectLayer } from './volume-look.ts';

const PCI = 'sys/devices/pci0000:00/0000:00:06.0/virtio2/block/vda';
const virtual = (name: string): string => `sys/devices/virtual/block/${name}`;
const uuid = `LVM-${'g'.repeat(32)}${'v'.repeat(32)}`;
const parts: VolumePart[] = [
  { startSector: 0, sectorCount: 16384, diskSector: 2048 },
  { startSector: 16384, sectorCount: 8192, diskSector: 26624 },
];
const stubBytes = 24576 * 512;
const place = { pciAddress: '0000:00:06.0', partition: 2, volume: uuid };

function device(name: string, path: string, number: string, extra: Tree = {}): Tree {
  return {
    [`${path}/dev`]: `${number}\n`,
    [`${path}/size`]: '24576\n',
    [`sys/class/block/${name}`]: { link: path },
    [`sys/dev/block/${number}`]: { link: path },
    ...Object.fromEntries(Object.entries(extra).map(([file, content]) => [`${path}/${file}`, content])),
  };
}

const hardware: Tree = {
  ...device('vda', PCI, '254:0'),
  ...device('vda2', `${PCI}/vda2`, '254:2', { partition: '2\n' }),
  ...device('vda3', `${PCI}/vda3`, '254:3', { partition: '3\n' }),
};
/** dm-0, which the stub lies on, over these. */
const over = (slaves: Readonly<Record<string, string>>, id = uuid, name = 'my--crab-root'): Tree => ({
  ...hardware,
  ...device('dm-0', virtual('dm-0'), '253:0', {
    'dm/name': `${name}\n`,
    'dm/uuid': `${id}\n`,
    ...Object.fromEntries(Object.entries(slaves).map(([each, path]) => [`slaves/${each}`, { link: path }])),
  }),
});
const onVda2 = over({ vda2: `${PCI}/vda2` });

const written: LvmVolume = { uuid, dmName: 'my--crab-root', name: 'my-crab/root', lies: parts };

function look(
  tree: Tree,
  {
    table = tableOfParts('254:2', parts),
    volumes = [written],
    bytes = stubBytes,
  }: {
    table?: readonly DmTarget[];
    volumes?: readonly LvmVolume[] | Error;
    bytes?: number;
  } = {},
) {
  using fixture = new FixtureTree(tree);
  const volumesOn = (): readonly LvmVolume[] => {
    if (volumes instanceof Error) throw volumes;
    return volumes;
  };
  const facts = { table: () => table, volumesOn, root: fixture.root };
  return inspectLayer(describeName('dm-0', fixture.root), bytes, facts);
}

test('a linear volume on one partition has the place of that, and its own uuid', () => {
  assert.deepEqual(look(onVda2), { place });
});

test('a disk or a partition is what it was; what has no hardware is nothing', () => {
  using fixture = new FixtureTree({ ...hardware, ...device('nbd0', virtual('nbd0'), '43:0') });
  const facts = { table: () => [], volumesOn: () => [], root: fixture.root };
  const { volume: _, ...partition } = place;
  assert.deepEqual(inspectLayer(describeName('vda2', fixture.root), 512, facts), { place: partition });
  assert.deepEqual(inspectLayer(describeName('nbd0', fixture.root), 512, facts), {});
});

const target = (type: string): DmTarget => ({ startSector: 0, sectorCount: 24576, type, parameters: '…' });
const below = (id: string, name: string): Tree => ({
  ...over({ 'dm-1': virtual('dm-1') }),
  ...device('dm-1', virtual('dm-1'), '253:1', {
    'dm/name': `${name}\n`,
    'dm/uuid': `${id}\n`,
    'slaves/vda2': { link: `${PCI}/vda2` },
  }),
});
const onDm1 = tableOfParts('253:1', parts);

const refused: readonly (readonly [string, RootTrouble['kind'], ReturnType<typeof look>])[] = [
  ['striped', 'striped', look(onVda2, { table: [target('striped')] })],
  ['a mirror of LVM', 'mirrored', look(onVda2, { table: [target('raid')] })],
  ['thin', 'thin', look(onVda2, { table: [target('thin')] })],
  ['with a cache', 'cached', look(onVda2, { table: [target('writecache')] })],
  ['with a snapshot', 'snapshot', look(onVda2, { table: [target('snapshot-origin')] })],
  ['unknown', 'other', look(onVda2, { table: [target('era')] })],
  [
    'on two partitions',
    'severalDisks',
    look(over({ vda2: `${PCI}/vda2`, vda3: `${PCI}/vda3` }), {
      table: [...tableOfParts('254:2', parts.slice(0, 1)), ...tableOfParts('254:3', parts.slice(1))],
    }),
  ],
  ['LUKS beneath the volume', 'encrypted', look(below('CRYPT-LUKS2-aa-x', 'x'), { table: onDm1 })],
  ['LUKS above', 'encrypted', look(over({ vda2: `${PCI}/vda2` }, 'CRYPT-LUKS2-aa-root', 'root'))],
  ['multipath beneath', 'multipath', look(below('mpath-3600', 'mpatha'), { table: onDm1 })],
  ['being moved', 'moving', look(below(`${uuid}-x`, 'my--crab-pvmove0'), { table: onDm1 })],
  [
    'LVM has written something else',
    'unlike',
    look(onVda2, { table: tableOfParts('254:2', parts.slice(0, 1)) }),
  ],
  ['LVM does not know it', 'unlike', look(onVda2, { volumes: [] })],
  ['LVM calls it thin', 'thin', look(onVda2, { volumes: [{ ...written, lies: 'thin' }] })],
  ['unreadable', 'unreadable', look(onVda2, { volumes: new Error('LVM: its label is damaged') })],
  ['smaller than the stub', 'small', look(onVda2, { bytes: stubBytes + 512 })],
];

for (const [what, kind, { trouble }] of refused) {
  test(`refused by name: ${what}`, () => {
    assert.equal(trouble?.kind, kind);
    const told = describeRootTrouble(trouble!);
    assert.doesNotMatch(`${told.what} ${told.hint}`, /[{}]/);
    assert.match(told.what, kind === 'encrypted' ? /root/ : /my-crab\/root/);
  });
}

test('a volume that is refused keeps its place, so that it can move once it is linear', () => {
  assert.deepEqual(look(onVda2, { table: [target('snapshot-origin')] }).place, place);
  assert.equal(look(over({ vda2: `${PCI}/vda2`, vda3: `${PCI}/vda3` })).place, undefined);
});
