// What LVM has written on a disk: volumes are found where they are, and nothing that is damaged or strange is believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { crcOf, type FixtureSegment, groupText, lvmDisk, lvmHead, volumeUuid } from './fixture-lvm.ts';
import { type LvmVolume, readLvmVolumes } from './lvm-metadata.ts';
import { parseLvmText } from './lvm-text.ts';
import { FormatError } from './system-error.ts';

const volumesOn = (disk: Buffer): LvmVolume[] =>
  readLvmVolumes((start, bytes) => disk.subarray(start, start + bytes), lvmDisk.bytes);
const linear = (start: number, extents: number, extent: number, disk = 'pv0'): FixtureSegment => ({
  start,
  extents,
  stripes: [[disk, extent]],
});
const root = (...segments: FixtureSegment[]) => ({ name: 'root', letter: 'r', segments });
const liesOf = (...segments: FixtureSegment[]) => volumesOn(lvmHead(groupText([root(...segments)])))[0]?.lies;

test('the disk is as pvcreate of LVM 2.03.16 writes it', () => {
  const disk = lvmHead(groupText([]));
  assert.equal(disk.readUInt32LE(528), 0x5ab3222c, 'the checksum that it gave this label');
  assert.equal(disk.toString('hex', 512, 528), '4c4142454c4f4e450100000000000000');
});

test('a volume lies where LVM has put it, pieces behind each other are one', () => {
  const two = { name: 'swap-1', letter: 's', segments: [linear(0, 4, 8)] };
  const volumes = volumesOn(
    lvmHead(groupText([root(linear(0, 8, 0), linear(8, 4, 12), linear(12, 3, 16)), two])),
  );
  assert.deepEqual(volumes, [
    {
      uuid: volumeUuid('r'),
      dmName: 'crab-root',
      name: 'crab/root',
      lies: [
        { startSector: 0, sectorCount: 16384, diskSector: 2048 },
        { startSector: 16384, sectorCount: 14336, diskSector: 26624 },
      ],
    },
    {
      uuid: volumeUuid('s'),
      dmName: 'crab-swap--1',
      name: 'crab/swap-1',
      lies: [{ startSector: 0, sectorCount: 8192, diskSector: 18432 }],
    },
  ]);
});

test('the text is read around the end of its ring', () => {
  const text = groupText([root(linear(0, 8, 1))]);
  const plain = volumesOn(lvmHead(text));
  assert.deepEqual(volumesOn(lvmHead(text, lvmDisk.areaBytes - 300)), plain);
});

test('what is no linear volume on this disk has a name', () => {
  assert.equal(
    liesOf({
      start: 0,
      extents: 8,
      stripes: [
        ['pv0', 0],
        ['pv1', 0],
      ],
    }),
    'striped',
  );
  assert.equal(liesOf(linear(0, 8, 0), linear(8, 4, 0, 'pv1')), 'severalDisks');
  assert.equal(liesOf(linear(0, 8, 0, 'pvmove0')), 'moving');
  assert.equal(liesOf(linear(0, 8, 0, 'lvol0_vorigin')), 'other');
  for (const [type, trouble] of [
    ['raid1', 'mirrored'],
    ['mirror', 'mirrored'],
    ['thin', 'thin'],
    ['cache', 'cached'],
    ['writecache', 'cached'],
    ['snapshot', 'snapshot'],
    ['vdo', 'other'],
  ] as const)
    assert.equal(liesOf({ ...linear(0, 8, 0), type }), trouble, type);
  const snapshot = {
    ...{ name: 'snap', letter: 'n' },
    segments: [{ ...linear(0, 8, 20), type: 'snapshot', more: 'origin = "root"' }],
  };
  assert.equal(volumesOn(lvmHead(groupText([root(linear(0, 8, 0)), snapshot])))[0]?.lies, 'snapshot');
});

test('what cannot be is not believed', () => {
  assert.throws(() => liesOf(linear(0, 8, 0), linear(9, 4, 12)), /a piece that cannot be/, 'a hole');
  assert.throws(() => liesOf(linear(0, 8, 60)), /a piece that cannot be/, 'beyond the end');
  assert.throws(() => liesOf(), /other pieces than it says/);
  assert.throws(() => volumesOn(lvmHead('crab {')), FormatError);
  assert.throws(
    () => volumesOn(lvmHead(groupText([]).replaceAll('qc6F8Z', 'aaaaaa'))),
    /does not know this disk/,
  );
  assert.throws(
    () => volumesOn(lvmHead(groupText([]).replace('pe_count = 63', 'pe_count = 64'))),
    /larger than its disk/,
  );
  const ignored = lvmHead(groupText([]));
  ignored.writeUInt32LE(1, lvmDisk.area + 60);
  ignored.writeUInt32LE(crcOf(ignored.subarray(lvmDisk.area + 4, lvmDisk.area + 512)), lvmDisk.area);
  assert.throws(() => volumesOn(ignored), /not described on this disk/);
  assert.deepEqual(volumesOn(Buffer.alloc(2 ** 20)), [], 'no LVM at all');
});

test('a bit that has changed anywhere is noticed', () => {
  const text = groupText([root(linear(0, 8, 1))]);
  const disk = lvmHead(text);
  const good = volumesOn(disk);
  const bytes = [...range(512, 1024), ...range(lvmDisk.area, lvmDisk.area + 512 + text.length)];
  fc.assert(
    fc.property(fc.constantFrom(...bytes), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const damaged = Buffer.from(disk);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
      let found: LvmVolume[] = [];
      try {
        found = volumesOn(damaged);
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error));
        return;
      }
      // Where a label cannot be recognised there is no LVM; nothing else passes.
      if (found.length > 0) assert.deepEqual(found, good);
    }),
    { numRuns: 400 },
  );
});

test('any text is a section or an error', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      try {
        parseLvmText(text);
      } catch (error) {
        assert.ok(error instanceof FormatError);
      }
    }),
  );
  const { values, sections } = parseLvmText('a { b = [1, "c\\"d", []] # x\n 5 { } }\nn=-2');
  assert.deepEqual(sections.get('a')?.values.get('b'), [1, 'c"d', []]);
  assert.ok(sections.get('a')?.sections.has('5'));
  assert.equal(values.get('n'), -2);
  for (const bad of ['a', 'a = ', 'a = [1', 'a {', '}', 'a = 1 a = 2', 'a = 1.5', 'a = "b'])
    assert.throws(() => parseLvmText(bad), FormatError, bad);
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
