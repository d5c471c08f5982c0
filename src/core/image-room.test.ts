// Whether an image finds room, and how much must be swapped out first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alpha, MiB, plainOs } from './fixture-computers.ts';
import { imageBytesOf, imageRoom, imageShare, mostInUse } from './image-room.ts';
import type { OsState } from './os-state.ts';

const totalBytes = 1000 * MiB;
const rich = { ...plainOs.swapping, swappableBytes: 700 * MiB };

function roomOf(usedMiB: number, swapping: Partial<OsState['swapping']> = {}, os: Partial<OsState> = {}) {
  const memory = { ...alpha.memory, totalBytes, usedBytes: usedMiB * MiB };
  const source = { name: 'alpha', memory, os: { ...plainOs, swapping: { ...rich, ...swapping }, ...os } };
  return { room: imageRoom(source), imageBytes: imageBytesOf(source) };
}

test('what is left in memory leaves room for the image and the ghost, on a small computer and on a large one', () => {
  assert.equal(mostInUse(1000 * MiB), 420 * MiB);
  assert.equal(mostInUse(64_000 * MiB), 28_800 * MiB);
  assert.equal(mostInUse(100 * MiB), 0);
});

test('an OS that uses less than half swaps nothing out', () => {
  assert.deepEqual(roomOf(420), { room: { kind: 'fits' }, imageBytes: 420 * MiB });
});

test('an OS that uses four fifths swaps out so much that the image fits, to a file that holds it', () => {
  const { room, imageBytes } = roomOf(800);
  assert.ok(room.kind === 'swap');
  assert.deepEqual(
    [room.mostBytes, room.swapBytes, imageBytes],
    [420, 476, 420].map(each => each * MiB),
  );
  assert.ok(room.fileBytes > room.swapBytes && room.fileBytes % MiB === 0);
});

test('swap that is there already is used, also by a second move', () => {
  assert.deepEqual(roomOf(800, { freeBytes: 600 * MiB, fileBytes: 0, noFile: 'x' }).room, {
    kind: 'swap',
    swapBytes: 476 * MiB,
    fileBytes: 0,
    mostBytes: 420 * MiB,
  });
});

test('what lies in the swap may come back until the freeze, and must go again', () => {
  const swaps = [{ path: '/swap', kind: 'stub' as const, usedBytes: 300 * MiB }];
  assert.deepEqual(roomOf(200, {}, { swaps }).room, {
    kind: 'swap',
    swapBytes: 0,
    fileBytes: 0,
    mostBytes: 420 * MiB,
  });
  assert.equal(roomOf(100, {}, { swaps }).room.kind, 'fits');
});

test('what lies in swap that stays comes into memory first, and counts as if it were there', () => {
  const stays = (usedBytes: number) => [
    {
      path: '/dev/vda2',
      kind: 'disk' as const,
      usedBytes,
      place: { pciAddress: '0000:00:04.0', partition: 2 },
    },
  ];
  assert.deepEqual(roomOf(300, {}, { swaps: stays(50 * MiB) }), {
    room: { kind: 'fits' },
    imageBytes: 350 * MiB,
  });
  assert.deepEqual(roomOf(700, {}, { swaps: stays(100 * MiB) }), roomOf(800));
});

test('where nothing can be swapped out the reason is named, with what to do', () => {
  const refused = (usedMiB: number, swapping: Partial<OsState['swapping']>) => {
    const { room } = roomOf(usedMiB, swapping);
    assert.ok(room.kind === 'tooMuch', JSON.stringify(room));
    return `${room.reason} → ${room.hint}`;
  };
  assert.match(
    refused(800, { obstacle: 'no memory.reclaim' }),
    /^no memory\.reclaim → end programs on alpha$/,
  );
  assert.match(refused(800, { swappableBytes: 300 * MiB }), /380 MiB .* only 270 MiB are memory of programs/);
  assert.match(refused(800, { fileBytes: 500 * MiB }), /no room on the disk of the OS → make room .*swapon/);
  assert.match(refused(800, { fileBytes: 0, noFile: 'it is btrfs' }), /^it is btrfs → .*swapon/);
  assert.equal(roomOf(470, { obstacle: 'x' }).room.kind, 'fits', 'what fits without swap still does');
});

test('whatever is in use: it fits, or is refused, or so much goes that it fits', () => {
  const mebibytes = fc.integer({ min: 0, max: 1000 });
  fc.assert(
    fc.property(mebibytes, mebibytes, mebibytes, mebibytes, (used, swappable, free, file) => {
      const { room, imageBytes } = roomOf(used, {
        swappableBytes: swappable * MiB,
        freeBytes: free * MiB,
        fileBytes: file * MiB,
      });
      if (room.kind === 'tooMuch') return used * MiB > totalBytes * imageShare;
      if (room.kind === 'fits') return imageBytes <= totalBytes * imageShare;
      const area = room.fileBytes || free * MiB;
      return room.swapBytes <= area && used - swappable <= 420 && imageBytes === room.mostBytes;
    }),
  );
});
