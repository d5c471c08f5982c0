// File systems for starting a computer: unmounted before a move, mounted again at home or when the move was given up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockDevice } from '#linux/block.ts';
import type { MountRow } from '#linux/storage-in-use.ts';
import { type LeftMount, LeftMounts } from './left-mounts.ts';

const place = (partition: number) => ({ pciAddress: '0000:00:06.0', partition });
const boot: MountRow = { device: '/dev/vda2', path: '/boot', type: 'ext4', options: 'rw,relatime' };
const efi: MountRow = { device: '/dev/vda1', path: '/boot/efi', type: 'vfat', options: 'rw,utf8' };
const both = [
  { device: boot.device, path: boot.path, place: place(2) },
  { device: efi.device, path: efi.path, place: place(1) },
];

/** An OS with both; at home the disk is vdb. */
function os(saved: readonly LeftMount[] = []) {
  const state = { isInUse: '', isThere: true, mounted: [boot, efi] as readonly MountRow[] };
  const done: string[] = [];
  const said: string[] = [];
  const mounts = new LeftMounts(saved, () => {}, {
    run: async words => {
      const path = words.at(-1) ?? '';
      if (state.isInUse === path) throw new Error(`umount: ${path}: target is busy.`);
      done.push(words.join(' '));
      if (words[0] === 'umount') state.mounted = state.mounted.filter(each => each.path !== path);
      else state.mounted = [...state.mounted, { ...boot, device: words.at(-2) ?? '', path }];
    },
    mounts: () => state.mounted,
    find: async ({ partition }) => {
      if (!state.isThere) throw new Error('the disk at 0000:00:06.0 does not come.');
      return { name: `vdb${partition}` } as BlockDevice;
    },
    say: line => said.push(line),
  });
  const off = (signal = new AbortController().signal): Promise<void> => mounts.off(both, 'a', signal);
  return { mounts, off, state, done, said };
}

test('the inner one goes first and comes last, on the disk under the name it has then, at home alone', async () => {
  const { mounts, off, done } = os();
  await off();
  assert.deepEqual(done.splice(0), ['umount /boot/efi', 'umount /boot']);
  const { saved } = mounts;
  assert.deepEqual(saved.at(-1), {
    computer: 'a',
    path: '/boot',
    place: place(2),
    type: 'ext4',
    options: 'rw,relatime',
  });
  mounts.on('b');
  await mounts.settled();
  assert.deepEqual(done, []);
  mounts.on('a');
  await mounts.settled();
  assert.deepEqual(done, [
    'mount -t ext4 -o rw,relatime /dev/vdb2 /boot',
    'mount -t vfat -o rw,utf8 /dev/vdb1 /boot/efi',
  ]);
  assert.deepEqual(mounts.saved, []);
  const later = os(saved); // of an agent that is started anew
  later.state.mounted = [];
  later.mounts.on('a');
  await later.mounts.settled();
  assert.equal(later.done.length, 2);
});

test('one in use stays, and what to do at home is told; a move needs none of them', async () => {
  const { mounts, off, state, done, said } = os();
  state.isInUse = '/boot';
  await off();
  assert.deepEqual(done, ['umount /boot/efi']);
  assert.deepEqual(
    mounts.saved.map(each => each.path),
    ['/boot/efi'],
  );
  assert.equal(
    said.at(-1),
    '/boot stays at a and could not be unmounted: umount: /boot: target is busy; back at a: umount -l /boot; mount /boot',
  );
});

test('one that somebody has mounted meanwhile is left alone; a disk that does not come is told', async () => {
  const { mounts, off, state, done, said } = os();
  await off();
  state.mounted = [{ ...efi, device: '/dev/vdb1' }];
  mounts.on('a');
  await mounts.settled();
  assert.deepEqual(done.slice(2), ['mount -t ext4 -o rw,relatime /dev/vdb2 /boot']);
  await off();
  state.isThere = false;
  mounts.on('a');
  await mounts.settled();
  assert.equal(
    said.at(-1),
    '/boot/efi is not mounted at a again: the disk at 0000:00:06.0 does not come; mount /boot/efi does it',
  );
  assert.deepEqual(mounts.saved, []);
});

test('a cancel ends it', async () => {
  const { off, done } = os();
  await assert.rejects(off(AbortSignal.abort(new Error('given up'))), /given up/);
  assert.deepEqual(done, []);
});
