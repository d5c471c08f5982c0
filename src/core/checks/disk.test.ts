// Checks of a disk that does not stay: what each finds, on which computer, and that it says so in a sentence with something to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiskPlan } from '../disk-wish.ts';
import { MiB } from '../fixture-computers.ts';
import { diskChecks } from './disk.ts';
import { type Case, diskPlan, foundIds, lookAt, tryGroup } from './fixture-cases.ts';

const cases: readonly Case[] = [
  {
    id: 'disk-named',
    request: { disk: diskPlan({ asked: undefined, look: { found: null, matches: 0, names: ['virtio-x'] } }) },
    says: /^No disk of beta was named for the OS, and none there is its own\.$/,
    hint: /^beta has: virtio-x; yado migrate beta --disk=follow --to-disk=/,
  },
  {
    id: 'disk-named',
    request: { disk: diskPlan({ look: { found: null, matches: 0, names: [] } }) },
    says: /^beta has no disk virtio-spare\.$/,
    hint: /^beta has no disk that it has a driver for/,
  },
  {
    id: 'disk-named',
    request: { disk: diskPlan({ look: { found: null, matches: 2, names: [] } }) },
    says: /^2 disks of beta answer to virtio-spare\.$/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ look: lookAt({ use: 'it is a part of dm-3' }) }) },
    says: /^The disk virtio-spare of beta is in use: it is a part of dm-3\.$/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ look: lookAt({ isReadOnly: true }) }) },
    says: /cannot be written to/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ look: lookAt({ sizeBytes: 1024 * MiB }) }) },
    says: /^The disk virtio-spare of beta has 1\.0 GiB, the disk of the OS 2\.0 GiB\.$/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ sizeBytes: 2048 * MiB - 512 }) },
    says: /no multiple of 4096/,
    hint: /--disk=remote/,
  },
  {
    id: 'disk-fits',
    request: { disk: diskPlan({ look: lookAt({ sectorBytes: 4096 }) }) },
    says: /has sectors of 4096 bytes: it cannot be marked\.$/,
  },
  {
    id: 'disk-named',
    request: { disk: diskPlan({ mode: 'shared', look: { found: null, matches: 0, names: ['virtio-x'] } }) },
    says: /^beta does not reach the disk of the OS \(virtio-spare\)\.$/,
    hint: /^beta has: virtio-x; yado migrate beta --disk=shared --to-disk=<one of these>, or let it stay: /,
  },
  {
    id: 'disk-mirror',
    request: { disk: diskPlan({ lacks: 'there is no module dm-mirror' }) },
    says: /^The kernel of the OS on alpha cannot mirror disks: there is no module dm-mirror\.$/,
  },
  {
    id: 'disk-not-empty',
    request: { disk: diskPlan({ look: lookAt({ holds: 'a file system (XFS)' }) }) },
    says: /^The disk virtio-spare of beta is not empty: a file system \(XFS\)\. It would be overwritten\.$/,
    hint: /--accept-risk=disk-not-empty$/,
  },
  {
    id: 'disk-not-empty',
    request: { disk: diskPlan({ look: lookAt({ holds: 'data', markOf: 'lobster', fileSystem: 'f5' }) }) },
    says: /is not empty: data/,
  },
  {
    id: 'disk-not-empty',
    request: { disk: diskPlan({ look: lookAt({ holds: 'data', fileSystem: 'f6', markOf: 'crab' }) }) },
    says: /is not empty: data/,
  },
];

tryGroup(diskChecks, cases, ['disk-same', 'disk-unfenced']);

test('of a disk that both reach it must be the same one, and a person answers for it', () => {
  const place = { pciAddress: '0000:00:07.0', identity: 'i1' };
  const shared = (change: Partial<DiskPlan>): string[] =>
    foundIds({
      request: {
        disk: diskPlan({
          mode: 'shared',
          identity: 'i1 ',
          look: lookAt({ place, holds: 'data' }),
          ...change,
        }),
      },
    });
  assert.deepEqual(shared({}), ['disk-unfenced']);
  assert.deepEqual(shared({ identity: 'i2 ' }), ['disk-same', 'disk-unfenced']);
  assert.deepEqual(shared({ identity: undefined }), ['disk-same', 'disk-unfenced']);
  assert.deepEqual(shared({ identity: 'i1 2' }), ['disk-same', 'disk-unfenced'], 'a partition of it');
  assert.deepEqual(shared({ isShared: true }), [], 'a person has answered for it already');
  assert.deepEqual(
    shared({ mode: 'follow', fileSystem: undefined }),
    ['disk-fits', 'disk-not-empty'],
    'onto itself',
  );
  assert.deepEqual(shared({ sizeBytes: 2048 * MiB - 512 }), ['disk-unfenced'], 'nothing is mirrored');
});

test('a disk of the target that fits is fine, and so is one that the OS has left there', () => {
  const failing = (disk: DiskPlan): string[] => foundIds({ request: { disk } });
  assert.deepEqual(failing(diskPlan({})), []);
  assert.deepEqual(
    failing(
      diskPlan({ asked: undefined, look: lookAt({ holds: 'data', markOf: 'crab', fileSystem: 'f5' }) }),
    ),
    [],
  );
});
