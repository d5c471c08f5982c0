// A disk follows on the kernel of this machine, with a mounted file system that is written to all the while. Needs a kernel
// with device-mapper, its mirror and loop devices, and root.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type FollowProgress, regionsOf, segmentsOf } from '#core/disk-follow.ts';
import { blockDeviceAt, describe, nodePath } from '#linux/block.ts';
import { errorTarget, linearTarget } from '#linux/device-mapper.ts';
import { DmControl } from '#linux/dm-control.ts';
import { DmWriteCounter } from '#linux/dm-write-count.ts';
import { hashParts } from '#linux/region-hashes.ts';
import { DiskFailed, follow } from './follow.ts';
import { followWorld } from './follow-world.ts';
import { markBytes } from './left-mark.ts';
import { exchange, letThrough, mirrorsState, putBeneath, tableOf, tableOver } from './stub.ts';

const skip =
  existsSync('/sys/class/misc/device-mapper') && existsSync('/sys/module/dm_zero') && process.getuid?.() === 0
    ? false
    : 'this kernel has no device-mapper, or no dm_zero';

const sizeBytes = 40 * 2 ** 20 + 12_288;
/** Of both disks the stub shows none of these. */
const hidden = { blankBytes: markBytes };
const sh = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8' }).trim();

/** Two loop devices, the second one larger and reached through a device that can be made to fail, and a stub over the first. */
function disks(name: string) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-follow-'));
  const loop = (file: string, bytes: number) => {
    const path = join(folder, file);
    writeFileSync(path, '');
    truncateSync(path, bytes);
    return blockDeviceAt(sh(`losetup --show -f ${path}`));
  };
  const remote = loop('old', sizeBytes);
  const below = loop('new', sizeBytes + 2 ** 20);
  const stub = `yado-test-${name}`;
  const dm = new DmControl();
  const make = (device: string, of: { major: number; minor: number }, bytes: number) => {
    const { major, minor } = dm.create(device);
    const number = `${of.major}:${of.minor}`;
    dm.loadTable(device, device === stub ? tableOver(number, bytes) : [linearTarget(number, bytes / 512)]);
    dm.resume(device);
    return { name: device, major, minor };
  };
  const local = make(`${stub}-new`, below, sizeBytes + 2 ** 20);
  const { minor } = make(stub, remote, sizeBytes);
  const node = `/dev/dm-${minor}`;
  const mountPoint = join(folder, 'mnt');
  mkdirSync(mountPoint);
  return {
    remote,
    local,
    stub,
    node,
    mountPoint,
    breakLocal: () => {
      dm.loadTable(local.name, [errorTarget((sizeBytes + 2 ** 20) / 512)]);
      dm.resume(local.name);
    },
    whole: async (device: { major: number; minor: number }, from: 'disk' | 'cached' = 'disk') => {
      const path = nodePath(describe(device).name);
      return (await hashParts(path, regionsOf({ start: 0, bytes: sizeBytes }), from, hidden)).map(each =>
        each.toString('hex'),
      );
    },
    [Symbol.dispose]: () => {
      sh(`umount ${mountPoint} 2>/dev/null || true`);
      for (const each of [stub, local.name]) dm.remove(each);
      for (const each of [remote, below]) sh(`losetup -d ${nodePath(each.name)}`);
      dm[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

function worldOf(all: ReturnType<typeof disks>, signal = new AbortController().signal) {
  const told: FollowProgress[] = [];
  const world = followWorld({
    sizeBytes,
    remote: all.remote,
    local: all.local,
    hashesThere: async extent =>
      (await hashParts(nodePath(all.remote.name), regionsOf(extent), 'disk', hidden)).map(each =>
        each.toString('hex'),
      ),
    counter: new DmWriteCounter(all.stub),
    told: progress => void told.push(progress),
    signal,
    stub: all.stub,
  });
  return { world, told };
}

/** Writes, renames, removes and syncs until it is ended. */
function writer(folder: string) {
  const line =
    'i=0; while :; do i=$((i+1)); head -c 300000 /dev/urandom > f$((i%9)); mv f$((i%9)) g$((i%7)); rm -f g$(((i+3)%7)); ' +
    '[ $((i%5)) = 0 ] && sync; echo $i >> log; done';
  const child = spawn('sh', ['-c', line], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  return {
    stop: async () => {
      const ended = new Promise(resolve => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}

test('writes and discards count where they are, and when they have ended', { skip }, () => {
  using all = disks('count');
  using counter = new DmWriteCounter(all.stub);
  const part = [2 ** 20, 2 ** 20] as const;
  const write = (block: number): string =>
    sh(
      `dd if=/dev/urandom of=${all.node} oflag=direct conv=notrunc bs=4096 seek=${block} count=1 2>/dev/null`,
    );
  assert.equal(counter.count(...part), 0);
  write(0);
  write(512);
  sh(`dd if=${all.node} of=/dev/null iflag=direct bs=4096 skip=256 count=8 2>/dev/null`);
  assert.equal(counter.count(...part), 0);
  write(256);
  write(511);
  assert.equal(counter.count(...part), 2);
  using next = new DmWriteCounter(all.stub);
  assert.equal(next.count(...part), 0, 'what another has left is gone');
});

test('it follows beneath a file system that is written to; then both disks are equal', { skip }, async () => {
  using all = disks('a');
  sh(`mke2fs -q -t ext4 ${all.node} && mount ${all.node} ${all.mountPoint}`);
  sh(`head -c 9000000 /dev/urandom > ${all.mountPoint}/big && sync`);
  const work = writer(all.mountPoint);
  const { world, told } = worldOf(all);
  await follow(world);
  await work.stop();
  sh('sync');
  const progress = told.at(-1);
  assert.equal(progress?.doneBytes, sizeBytes);
  assert.deepEqual(mirrorsState(all.stub), { isCopied: true });
  await exchange(
    tableOver(`${all.local.major}:${all.local.minor}`, sizeBytes),
    async () => {
      assert.deepEqual(await all.whole(all.local), await all.whole(all.remote));
      return true;
    },
    all.stub,
  );
  const before = await all.whole(all.remote);
  sh(
    `echo here > ${all.mountPoint}/later && sync && sha256sum ${all.mountPoint}/big && umount ${all.mountPoint}`,
  );
  assert.deepEqual(await all.whole(all.remote), before, 'the old disk is left alone');
  sh(`e2fsck -fn /dev/dm-${all.local.minor}`);
});

test('on the way back only what changed is copied', { skip }, async () => {
  using all = disks('b');
  sh(
    `mke2fs -q -t ext4 ${all.node} && mount ${all.node} ${all.mountPoint} && head -c 9000000 /dev/urandom > ${all.mountPoint}/big && sync`,
  );
  await follow(worldOf(all).world);
  await putBeneath(all.remote, sizeBytes, 0, all.stub);
  sh(`echo changed > ${all.mountPoint}/small && sync`);
  const { world, told } = worldOf(all);
  await follow(world);
  const copied = told.at(-1)?.copiedBytes ?? 0;
  assert.ok(copied > 0 && copied < 6 * 2 ** 20, `${copied} bytes were copied`);
});

test('a new disk that fails costs nothing: what waits goes on with the old one', { skip }, async () => {
  using all = disks('c');
  sh(`mke2fs -q -t ext4 ${all.node} && mount -o errors=remount-ro ${all.node} ${all.mountPoint}`);
  await follow(worldOf(all).world);
  all.breakLocal();
  // Elsewhere: whoever looks for it in a file system whose writes are held waits with them, and here that is the only one to help.
  const synced = `${all.mountPoint}-synced`;
  sh(
    `cd ${all.mountPoint} && (head -c 2000000 /dev/urandom > held; sync; echo done > ${synced}) >/dev/null 2>&1 &`,
  );
  const { world } = worldOf(all);
  for (;;) {
    try {
      await world.pause(50);
    } catch (error) {
      assert.ok(error instanceof DiskFailed && error.where === 'here');
      break;
    }
  }
  assert.ok(!existsSync(synced), 'no write is said to be done that one disk has refused');
  await putBeneath(all.remote, sizeBytes, 0, all.stub);
  while (!existsSync(synced)) await new Promise(resolve => setTimeout(resolve, 50));
  assert.doesNotMatch(sh(`grep ' ${all.mountPoint} ' /proc/mounts`), / ro,/);
  sh(`umount ${all.mountPoint} && e2fsck -fn ${all.node}`);
});

test('a question answered with no leaves everything as it was', { skip }, async () => {
  using all = disks('d');
  const table = () => {
    using dm = new DmControl();
    return { table: dm.table(all.stub), isSuspended: dm.device(all.stub).suspended };
  };
  const before = table();
  const segments = segmentsOf(sizeBytes, 16 * 2 ** 20);
  assert.equal(await exchange(tableOf(segments, all.remote, all.local), async () => false, all.stub), false);
  assert.deepEqual(table(), before);
  await assert.rejects(
    exchange(tableOf(segments, all.remote, all.local), () => Promise.reject(new Error('gone')), all.stub),
    /gone/,
  );
  assert.deepEqual(table(), before);
});

test('what an agent had loaded when it was killed does not come to lie beneath the stub', { skip }, () => {
  using all = disks('e');
  using dm = new DmControl();
  const before = dm.table(all.stub);
  for (const isHeld of [true, false]) {
    dm.loadTable(all.stub, tableOf(segmentsOf(sizeBytes, 16 * 2 ** 20), all.remote, all.local));
    if (isHeld) dm.suspend(all.stub, { noFlush: true, skipLockFs: true });
    letThrough(all.stub);
    assert.deepEqual([dm.table(all.stub), dm.device(all.stub).suspended], [before, false]);
  }
});
