// Tables of device-mapper as pieces of one disk: there and back, and everything else has its own answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linearTarget } from './device-mapper.ts';
import { areSameParts, joinedParts, partsOfTable, sizeOfParts, tableOfParts } from './dm-parts.ts';

const parts = [
  { startSector: 0, sectorCount: 100, diskSector: 2048 },
  { startSector: 100, sectorCount: 50, diskSector: 9000 },
];

test('pieces make a table, and the table the pieces', () => {
  assert.deepEqual(partsOfTable(tableOfParts('254:2', parts)), { device: '254:2', parts });
  assert.equal(sizeOfParts(parts), 150 * 512);
  const split = [
    { startSector: 0, sectorCount: 60, diskSector: 2048 },
    { startSector: 60, sectorCount: 40, diskSector: 2108 },
    { startSector: 100, sectorCount: 50, diskSector: 9000 },
  ];
  assert.deepEqual(joinedParts(split), parts);
  assert.deepEqual(partsOfTable(tableOfParts('254:2', split)), { device: '254:2', parts });
});

test('one sector elsewhere is another volume', () => {
  assert.ok(areSameParts(parts, structuredClone(parts)));
  assert.ok(!areSameParts(parts, parts.slice(0, 1)));
  for (const field of ['startSector', 'sectorCount', 'diskSector'] as const) {
    const other = parts.map((each, index) => (index === 1 ? { ...each, [field]: each[field] + 1 } : each));
    assert.ok(!areSameParts(parts, other), field);
  }
});

test('what is more than pieces of one disk says what it is', () => {
  const striped = { startSector: 0, sectorCount: 100, type: 'striped', parameters: '2 128 254:2 0 254:3 0' };
  assert.deepEqual(partsOfTable([striped]), { type: 'striped' });
  const [first, second] = tableOfParts('254:2', parts);
  assert.deepEqual(partsOfTable([first!, { ...second!, parameters: '254:3 9000' }]), {
    devices: ['254:2', '254:3'],
  });
  assert.deepEqual(partsOfTable([]), { devices: [] });
  assert.deepEqual(partsOfTable([second!]), { type: 'linear' }, 'a hole before it');
  assert.deepEqual(partsOfTable([linearTarget('/dev/vda2', 100)]), { type: 'linear' }, 'no number');
});
