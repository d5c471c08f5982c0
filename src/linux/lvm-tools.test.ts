// What LVM's own tools write is read as they meant it. Needs them, loop devices and root; no device-mapper.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LvmVolume, readLvmVolumes } from './lvm-metadata.ts';

const skip =
  existsSync('/sbin/lvm') && existsSync('/dev/loop-control') && process.getuid?.() === 0
    ? false
    : 'there are no tools of LVM here, or no loop devices';

const sizeBytes = 64 * 2 ** 20;
const sh = (command: string): string =>
  execFileSync('sh', ['-ec', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** Two disks in one group with extents of 1 MiB. */
function group() {
  const folder = mkdtempSync(join(tmpdir(), 'yado-lvm-'));
  const files = ['one', 'two'].map(name => join(folder, name));
  for (const file of files) {
    writeFileSync(file, '');
    truncateSync(file, sizeBytes);
  }
  const disks = files.map(file => sh(`losetup --find --show ${file}`));
  // Without device-mapper there is no one to tell of a volume.
  const alone = `--driverloaded n --devices ${disks.join(',')} --config 'devices/use_devicesfile=0 backup{backup=0 archive=0}'`;
  const lvm = (command: string, rest: string) => sh(`/sbin/lvm ${command} -qq ${alone} ${rest}`);
  for (const disk of disks) lvm('pvcreate', disk);
  lvm('vgcreate', `-s 1m crab ${disks.join(' ')}`);
  return {
    disks,
    lvm,
    create: (name: string, rest: string) =>
      lvm('lvcreate', `--yes --activate n --zero n --wipesignatures n --name ${name} ${rest}`),
    volumes: (number: 0 | 1): Record<string, LvmVolume['lies']> => {
      const fd = openSync(disks[number] ?? '', 'r');
      try {
        const read = (start: number, bytes: number): Buffer => {
          const buffer = Buffer.alloc(bytes);
          readSync(fd, buffer, 0, bytes, start);
          return buffer;
        };
        return Object.fromEntries(readLvmVolumes(read, sizeBytes).map(({ name, lies }) => [name, lies]));
      } finally {
        closeSync(fd);
      }
    },
    [Symbol.dispose]: () => {
      for (const disk of disks) sh(`losetup --detach ${disk}`);
      rmSync(folder, { recursive: true });
    },
  };
}

const mebi = 2048;
const piece = (start: number, count: number, disk: number) => ({
  startSector: start * mebi,
  sectorCount: count * mebi,
  diskSector: (1 + disk) * mebi,
});

test('linear volumes in one piece and in several, on either disk', { skip }, () => {
  using crab = group();
  const [one, two] = crab.disks;
  crab.create('root', `-L 8m crab ${one}`);
  crab.create('swap-1', `-L 4m crab ${one}`);
  crab.lvm('lvextend', `-L 20m crab/root ${one}`);
  crab.create('srv', `-L 5m crab ${two}`);
  assert.deepEqual(crab.volumes(0), {
    'crab/root': [piece(0, 8, 0), piece(8, 12, 12)],
    'crab/swap-1': [piece(0, 4, 8)],
    'crab/srv': 'severalDisks',
  });
  assert.deepEqual(crab.volumes(1)['crab/srv'], [piece(0, 5, 0)]);
  crab.lvm('lvextend', `-L 22m crab/root ${two}`);
  assert.equal(crab.volumes(0)['crab/root'], 'severalDisks');
});

test('the text goes round its ring many times', { skip }, () => {
  using crab = group();
  crab.create('root', '-L 8m crab');
  // More than fits into the place for it, so that it has begun anew, and one of them lies around its end.
  const tags = Array.from({ length: 900 }, (_, index) => `--addtag ${'t'.repeat(100)}${index}`);
  crab.lvm('vgchange', `${tags.join(' ')} crab`);
  for (let round = 0; round < 16; round++) {
    crab.lvm('lvextend', '-l +1 crab/root');
    assert.deepEqual(crab.volumes(0)['crab/root'], [piece(0, 9 + round, 0)]);
  }
});

test('volumes that are more than pieces', { skip }, () => {
  using crab = group();
  crab.create('striped', '-i 2 -L 8m crab');
  assert.equal(crab.volumes(0)['crab/striped'], 'striped');
});

test('a disk without a description of its group', { skip }, () => {
  using crab = group();
  crab.create('root', '-L 8m crab');
  crab.lvm('pvchange', `--metadataignore y ${crab.disks[0]}`);
  assert.throws(() => crab.volumes(0), /not described on this disk/);
  assert.ok(crab.volumes(1)['crab/root']);
});
