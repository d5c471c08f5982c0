// Mounts of disks as they would be mounted again, and whether their disk is still there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FixtureTree } from './fixture-tree.ts';
import { mountedAt, parseMountInfo } from './mount-info.ts';

const rows = `24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/yado-root rw,errors=remount-ro
31 24 8:1 / /boot/efi rw,relatime shared:9 - vfat /dev/sda1 rw,fmask=0022,utf8
32 24 8:3 / /srv/my\\040files ro,noatime shared:10 - ext4 /dev/sda3 rw
33 24 8:3 /part /mnt rw shared:11 - ext4 /dev/sda3 rw
34 24 0:44 / /data rw - btrfs /dev/sdb rw,subvol=/
35 31 8:17 / /boot/efi rw - vfat /dev/sdb1 rw,utf8
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

test('nothing there, or anything at all, is no error', () => {
  using tree = new FixtureTree({});
  assert.equal(mountedAt('/', tree.root), undefined);
  fc.assert(fc.property(fc.string(), text => Array.isArray(parseMountInfo(text))));
});
