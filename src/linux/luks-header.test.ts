// Where a mark can lie in a container: right before its data, and only where the header says that nothing is there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { luks1Disk, luks2, luks2Disk, luks2Metadata, luks2Segment } from './fixture-luks.ts';
import { isLuks, luksSpot } from './luks-header.ts';
import { FormatError } from './system-error.ts';

const spot = (disk: Buffer) => luksSpot((start, bytes) => disk.subarray(start, start + bytes));

test('LUKS2: the end of the room for keys, which is filled with random bytes', () => {
  assert.deepEqual(spot(luks2Disk()), { start: luks2.dataStart - 4096, isRoomForKeys: true });
  const config = { json_size: '12288', keyslots_size: '4161536' };
  assert.deepEqual(spot(luks2Disk(luks2Metadata({ config }))), {
    start: luks2.dataStart - 4096,
    isRoomForKeys: false,
  });
});

test('LUKS1: between the last key and the data', () => {
  assert.deepEqual(spot(luks1Disk()), { start: 2 ** 21 - 4096, isRoomForKeys: false });
});

test('what is no container has no such place', () => {
  assert.equal(spot(Buffer.alloc(4096)), undefined);
  assert.equal(spot(Buffer.alloc(0)), undefined);
  assert.ok(!isLuks(Buffer.from('LUKS\xde\xad', 'latin1')), 'LUKS1 that is just being encrypted anew');
});

test('one of two headers is enough', () => {
  assert.equal(spot(luks2Disk(luks2Metadata(), [1]))?.start, luks2.dataStart - 4096);
  assert.equal(spot(luks2Disk(luks2Metadata(), [2]))?.start, luks2.dataStart - 4096);
  assert.throws(() => spot(luks2Disk(luks2Metadata(), [1, 2])), /its header is damaged/);
});

const area = (offset: number, size: number) => ({ offset: String(offset), size: String(size) });
const slot = (offset: number, size: number, type = 'luks2') => ({ 0: { type, area: area(offset, size) } });
const last = luks2.dataStart - 4096;
const refused: readonly (readonly [what: string, disk: Buffer, says: RegExp])[] = [
  [
    'a key there',
    luks2Disk(luks2Metadata({ keyslots: slot(last - 4096, 8192) })),
    /no room between its keys/,
  ],
  ['LUKS1 with no room', luks1Disk(4040), /no room between its keys/],
  ['LUKS1, its header elsewhere', luks1Disk(0), /header is not on the same disk/],
  ['LUKS1, an odd place', luks1Disk(4097), /odd place/],
  [
    'its header elsewhere',
    luks2Disk(luks2Metadata({ segments: { 0: { ...luks2Segment, offset: '0' } } })),
    /same disk/,
  ],
  [
    'headers where the data is',
    luks2Disk(luks2Metadata({ segments: { 0: { ...luks2Segment, offset: '32768' } } })),
    /no room/,
  ],
  [
    'integrity',
    luks2Disk(luks2Metadata({ segments: { 0: { ...luks2Segment, integrity: {} } } })),
    /integrity/,
  ],
  [
    'another kind',
    luks2Disk(luks2Metadata({ segments: { 0: { ...luks2Segment, type: 'linear' } } })),
    /kind/,
  ],
  [
    'two segments',
    luks2Disk(luks2Metadata({ segments: { 0: luks2Segment, 1: luks2Segment } })),
    /several pieces/,
  ],
  ['no segment', luks2Disk(luks2Metadata({ segments: {} })), /several pieces/],
  [
    'being encrypted anew',
    luks2Disk(luks2Metadata({ keyslots: slot(32768, 4096, 'reencrypt') })),
    /encrypted anew/,
  ],
  [
    'a need',
    luks2Disk(
      luks2Metadata({
        config: { keyslots_size: '16744448', requirements: { mandatory: ['online-reencrypt-v2'] } },
      }),
    ),
    /needs what is not known here \(online-reencrypt-v2\)/,
  ],
  ['no JSON', luks2Disk('{'), /cannot be read/],
  ['a number that is none', luks2Disk(luks2Metadata({ keyslots: slot(-1, 4096) })), /not as expected/],
  [
    'another version',
    Buffer.concat([Buffer.from('LUKS\xba\xbe\0\x03', 'latin1'), Buffer.alloc(4096)]),
    /LUKS3/,
  ],
  ['an end', luks2Disk().subarray(0, 300), /not whole/],
];
for (const [what, disk, says] of refused)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => spot(disk),
      (error: Error) => error instanceof FormatError && says.test(error.message),
    );
  });

test('a key in any place is never written over', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4100 }), fc.integer({ min: 0, max: 64 }), (page, pages) => {
      const [offset, size] = [page * 4096, pages * 4096];
      const disk = luks2Disk(luks2Metadata({ keyslots: slot(offset, size) }));
      const isThere = offset < luks2.dataStart && offset + size > last;
      if (isThere) assert.throws(() => spot(disk), /no room/);
      else assert.equal(spot(disk)?.start, last);
    }),
    { numRuns: 30 },
  );
});
