// Mounts of disks as they would be mounted again, and whether their disk is still there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FixtureTree } from './fixture-tree.ts';
import { isMountPoint, mountedAt, parseMountInfo, writableDisks } from './mount-info.ts';

const rows = `24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/yado-root rw,errors=remount-ro
31 24 8:1 / /boot/efi rw,relatime shared:9 - vfat /dev/sda1 rw,fmask=0022,utf8
32 24 8:3 / /srv/my\\040files ro,noatime shared:10 - ext4 /dev/sda3 rw
33 24 8:3 /part /mnt rw shared:11 - ext4 /dev/sda3 rw
34 24 0:44 / /data rw - btrfs /dev/sdb rw,subvol=/
35 31 8:17 / /boot/efi rw - vfat /dev/sdb1 rw,utf8
36 24 0:45 / /boot rw,relatime shared:12 - autofs systemd-1 rw,fd=51,pgrp=1,timeout=0,minproto=5,maxproto=5,direct
`;

test('as it would be mounted again; the one on top; no part of a file system', () => {
  using tree = new FixtureTree({
    'proc/1/mountinfo': rows,
    'sys/dev/block/8:17/dev': '8:17\n',
    'dev/sdb': '',
  });
  assert.deepEqual(mountedAt('/boot/efi', tree.root), {
    device: '/dev/sdb1',
    path: '/boot/efi',
    type: 'vfat',
    options: 'rw,utf8',
    isThere: true,
  });
  assert.deepEqual(mountedAt('/srv/my files', tree.root), {
    device: '/dev/sda3',
    path: '/srv/my files',
    type: 'ext4',
    options: 'ro,noatime',
    isThere: false,
  });
  assert.equal(mountedAt('/data', tree.root)?.isThere, true);
  assert.equal(mountedAt('/mnt', tree.root), undefined);
});

test('anything at a path counts as mounted there, also what mounts when it is looked at', () => {
  using tree = new FixtureTree({ 'proc/1/mountinfo': rows });
  assert.equal(mountedAt('/boot', tree.root)?.type, 'autofs');
  const paths = ['/boot', '/mnt', '/srv/my files', '/boot/efi', '/srv', '/boot/e'];
  assert.deepEqual(
    paths.map(path => isMountPoint(path, tree.root)),
    [true, true, true, true, false, false],
  );
});

test('a file system is written to as long as any of it can be; a loop is written to where its file lies', () => {
  const more = `37 24 7:0 / /snap ro - ext4 /dev/loop0 rw
38 24 254:1 / /old rw - ext4 /dev/mapper/old ro,errors=remount-ro
39 24 0:46 / /run rw - tmpfs tmpfs rw
`;
  using tree = new FixtureTree({ 'proc/1/mountinfo': `${rows}${more}` });
  const disks = ['/dev/mapper/yado-root', '/dev/sda1', '/dev/sda3', '/dev/sdb', '/dev/sdb1'];
  assert.deepEqual(writableDisks(tree.root), disks);
});

test('nothing there, or anything at all, is no error', () => {
  using tree = new FixtureTree({});
  assert.equal(mountedAt('/', tree.root), undefined);
  assert.deepEqual(writableDisks(tree.root), []);
  fc.assert(fc.property(fc.string(), text => Array.isArray(parseMountInfo(text))));
});
