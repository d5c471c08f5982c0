// File systems on disks that stay: mounted anew at home or when the move was given up; those for starting are unmounted before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockDevice } from '#linux/block.ts';
import type { MountedDisk } from '#linux/mount-info.ts';
import { type LeftMount, LeftMounts } from './left-mounts.ts';

const place = (partition: number) => ({ pciAddress: '0000:00:06.0', partition });
const mounted = (partition: number, path: string, options = 'rw'): MountedDisk => ({
  device: `/dev/vda${partition}`,
  path,
  type: 'ext4',
  options,
  isThere: true,
});
const automount = (path: string): MountedDisk => ({
  ...{ device: 'systemd-1', path, type: 'autofs', options: 'rw,fd=51,direct' },
  isThere: false,
});
const disks = [mounted(2, '/boot', 'rw,noatime'), mounted(1, '/boot/efi'), mounted(3, '/home')];
const all = disks.map(({ device, path }) => ({ device, path, place: place(Number(device.at(-1))) }));

/** An OS with all three; at home the disk is vdb. */
function os(saved: readonly LeftMount[] = []) {
  const state = {
    isInUse: '',
    isMountedAgain: '',
    isThere: true,
    isUnmounted: '',
    /** Paths where a look mounts something. */
    automounts: new Set<string>(),
    mounted: new Map(disks.map(each => [each.path, each])),
  };
  const done: string[] = [];
  const said: string[] = [];
  const mounts = new LeftMounts(saved, () => {}, {
    run: async words => {
      if (words[0] === 'udevadm') return;
      const path = words.at(-1) ?? '';
      if (state.isInUse === path && words[0] === 'umount' && words[1] !== '-l')
        throw new Error(`umount: ${path}: target is busy.`);
      done.push(words.join(' '));
      if (words[0] === 'chattr') return;
      if (words[0] === 'umount' && path !== state.isMountedAgain) state.mounted.delete(path);
      if (words[0] === 'mount') state.mounted.set(path, { ...mounted(0, path), device: words.at(-2) ?? '' });
    },
    mountedAt: path => state.mounted.get(path) ?? (state.automounts.has(path) ? automount(path) : undefined),
    isMountPoint: path => state.mounted.has(path) || state.automounts.has(path),
    find: async ({ partition }) => {
      if (!state.isThere) throw new Error('the disk at 0000:00:06.0 does not come.');
      return { name: `vdb${partition}` } as BlockDevice;
    },
    pause: async () => {
      if (state.isUnmounted !== '') state.mounted.delete(state.isUnmounted);
      state.isUnmounted = '';
    },
    say: line => said.push(line),
  });
  const off = (signal = new AbortController().signal): Promise<void> => mounts.off(all, 'a', signal);
  const leave = (): void => {
    for (const [path, each] of state.mounted) state.mounted.set(path, { ...each, isThere: false });
  };
  const on = (computer = 'a'): Promise<void> => {
    mounts.on(computer);
    return mounts.settled();
  };
  return { mounts, off, leave, on, state, done, said };
}

test('what is for starting is unmounted, inner ones first; at home alone all are mounted anew, outer ones first', async () => {
  const { mounts, off, leave, on, done } = os();
  await off();
  const emptied = ['umount /boot/efi', 'chattr +i /boot/efi', 'umount /boot', 'chattr +i /boot'];
  assert.deepEqual(done.splice(0), emptied); // whoever writes there meanwhile is told so
  const { saved } = mounts;
  leave();
  await on('b');
  assert.equal(done.length, 0);
  await on();
  const again = [
    'chattr -i /boot',
    'chattr -i /boot/efi',
    'mount -t ext4 -o rw,noatime /dev/vdb2 /boot',
    'umount -l /home',
    'mount -t ext4 -o rw /dev/vdb3 /home',
    'mount -t ext4 -o rw /dev/vdb1 /boot/efi',
  ];
  assert.deepEqual(done.toSorted(), again.toSorted());
  const inTurn = done.filter(each => each.includes('/boot')).map(each => each.replace(/-t.* /, ''));
  assert.deepEqual(inTurn, ['chattr -i /boot', 'mount /boot', 'chattr -i /boot/efi', 'mount /boot/efi']);
  assert.deepEqual(mounts.saved, []);
  const later = os(saved); // of an agent that is started anew
  later.state.mounted.clear();
  await later.on();
  assert.equal(later.done.filter(each => each.startsWith('mount ')).length, 3);
});

test('one for starting that is in use stays mounted until the OS is back, and that is told', async () => {
  const { off, leave, on, state, done, said } = os();
  state.isInUse = '/boot';
  await off();
  assert.deepEqual(done.splice(0), ['umount /boot/efi', 'chattr +i /boot/efi']);
  assert.equal(said.at(-1), '/boot stays at a and could not be unmounted: umount: /boot: target is busy');
  leave();
  await on();
  assert.ok(done.includes('umount -l /boot'));
  assert.equal(state.mounted.get('/boot')?.device, '/dev/vdb2');
});

test('what was given up before a disk was gone, or mounted by somebody else, is left alone', async () => {
  const { off, on, state, done, said } = os();
  await off();
  state.mounted.set('/boot/efi', mounted(1, '/boot/efi'));
  await on();
  assert.deepEqual(done.slice(4), ['chattr -i /boot', 'mount -t ext4 -o rw,noatime /dev/vdb2 /boot']);
  assert.ok(
    said.includes(
      'the folder that /boot/efi is mounted over takes no files; when it is unmounted: chattr -i /boot/efi',
    ),
  );
});

test('what mounts when somebody looks is not looked at, and is left to itself at home', async () => {
  const { mounts, off, leave, on, state, done } = os();
  state.automounts.add('/boot/efi').add('/home');
  await off();
  await off(); // tried once more: what is left is that of before
  assert.deepEqual(done.splice(0), ['umount /boot/efi', 'umount /boot', 'chattr +i /boot']);
  assert.deepEqual(
    mounts.saved.map(({ path, type, isClosed }) => [path, type, isClosed]),
    [
      ['/boot/efi', 'ext4', undefined],
      ['/boot', 'ext4', true],
      ['/home', 'ext4', undefined],
    ],
  );
  leave();
  await on();
  assert.deepEqual(done.toSorted(), [
    'chattr -i /boot',
    'mount -t ext4 -o rw,noatime /dev/vdb2 /boot',
    'umount -l /home', // what is below mounts it
  ]);
});

test('what is mounted again by somebody in the same moment takes files: that would be its own folder', async () => {
  const { mounts, off, state, done } = os();
  state.isMountedAgain = '/boot';
  await off();
  assert.deepEqual(done, ['umount /boot/efi', 'chattr +i /boot/efi', 'umount /boot']);
  assert.equal(mounts.saved.find(({ path }) => path === '/boot')?.isClosed, undefined);
});

test('what systemd unmounts when it hears late that the disk was gone is mounted once more', async () => {
  const { off, leave, on, state, done } = os();
  await off();
  leave();
  state.isUnmounted = '/boot';
  await on();
  assert.equal(done.filter(each => each.endsWith('/dev/vdb2 /boot')).length, 2);
  assert.equal(state.mounted.size, 3);
});

test('a disk that does not come is told, with what to type, and its folder takes files again', async () => {
  const { mounts, off, on, state, said, done } = os();
  await off();
  state.isThere = false;
  await on();
  assert.ok(
    said.includes(
      '/boot is not mounted at a again: the disk at 0000:00:06.0 does not come; umount -l /boot; mount /boot',
    ),
  );
  assert.deepEqual(done.slice(4), ['chattr -i /boot', 'chattr -i /boot/efi']);
  assert.deepEqual(mounts.saved, []);
});

test('a cancel ends it', async () => {
  const { off, done } = os();
  await assert.rejects(off(AbortSignal.abort(new Error('given up'))), /given up/);
  assert.deepEqual(done, []);
});

test('a mount that hangs holds up a move only until somebody cancels it', async () => {
  const hangs = Promise.withResolvers<void>();
  const saved: LeftMount = { computer: 'a', path: '/boot', place: place(2), type: 'ext4', options: 'rw' };
  const mounts = new LeftMounts([saved], () => {}, {
    run: words => (words[0] === 'mount' ? hangs.promise : Promise.resolve()),
    mountedAt: () => undefined,
    isMountPoint: () => false,
    find: async () => ({ name: 'vdb2' }) as BlockDevice,
    pause: async () => {},
    say: () => {},
  });
  mounts.on('a');
  const cancel = new AbortController();
  const waiting = assert.rejects(mounts.settled(cancel.signal), { message: 'cancelled' });
  cancel.abort(new Error('cancelled'));
  await waiting;
  hangs.reject(new Error('mount hangs, and cannot be ended'));
  await mounts.settled(new AbortController().signal);
  assert.deepEqual(mounts.saved, []);
});
