// What could be swapped out, from a directory that looks like /proc and the OS's own root.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { readSwapRoom } from '#linux/swap-room.ts';

const MiB = 2 ** 20;
const folder = '/var/lib/yadokari';
const tree: Tree = {
  'run/yado/memory': 'pmem\n',
  'proc/1/root/sys/fs/cgroup/memory.reclaim': '',
  'proc/1/mounts': '/dev/mapper/yado-root / ext4 rw 0 0\n',
  'proc/meminfo': 'MemTotal: 900 kB\nActive(anon): 300 kB\nInactive(anon): 200 kB\nInactive(file): 70 kB\n',
  'proc/self/status': 'Name: node\nVmRSS: 90 kB\nRssAnon: 40 kB\n',
  'proc/swaps': 'Filename Type Size Used Priority\n/swapfile file 100 30 -2\n/dev/vda2 partition 500 0 -3\n',
};
const ext4 = async () => ({ type: 0xef53, freeBytes: 1000 * MiB });

async function roomIn(changes: Tree, lookAt = ext4) {
  using fixture = new FixtureTree({ ...tree, ...changes });
  return await readSwapRoom(folder, fixture.root, lookAt);
}

test('memory of programs without the agent, swap on the disk that goes along, and what a file may take of it', async () => {
  assert.deepEqual(await roomIn({}), {
    freeBytes: 70 * 1024,
    fileBytes: 886 * MiB,
    noFile: null,
    swappableBytes: 460 * 1024,
    obstacle: null,
  });
});

test('swap in memory is filled first: that behind it counts for nothing', async () => {
  const swaps = `${String(tree['proc/swaps'])}/dev/zram0 partition 400 0 100\n`;
  assert.equal((await roomIn({ 'proc/swaps': swaps })).freeBytes, 0);
});

test('no file where its file system is another, stays behind, or does not answer', async () => {
  const btrfs = async () => ({ type: 0x9123683e, freeBytes: 1000 * MiB });
  assert.match(
    (await roomIn({}, btrfs)).noFile ?? '',
    /wants ext4 or xfs, which \/var\/lib\/yadokari is not on/,
  );
  const mounts = `${String(tree['proc/1/mounts'])}/dev/sdb1 /var ext4 rw 0 0\n`;
  assert.match(
    (await roomIn({ 'proc/1/mounts': mounts })).noFile ?? '',
    /not on the disk that goes with the OS/,
  );
  const away = () => Promise.reject(new Error('ENOENT'));
  assert.deepEqual((await roomIn({}, away)).fileBytes, 0);
});

test('an agent in memory that moves must not be swapped out; a kernel must be able to reclaim', async () => {
  assert.match((await roomIn({ 'run/yado/memory': 'tmpfs\n' })).obstacle ?? '', /no memory of its own/);
  using fixture = new FixtureTree({ 'run/yado/memory': 'pmem\n' });
  assert.match((await readSwapRoom(folder, fixture.root)).obstacle ?? '', /no memory\.reclaim/);
});
