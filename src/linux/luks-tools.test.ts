// What cryptsetup writes is read as it means it, and a mark in the gap changes nothing for it. Plain files, no device-mapper.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findLuksGap, luksGapBytes } from './luks-header.ts';

const MiB = 2 ** 20;
const quick = '--pbkdf pbkdf2 --pbkdf-force-iterations 1000';
const mark = 'YADOKARI';

function container(context: TestContext, options: string) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-luks-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const disk = join(folder, 'disk');
  writeFileSync(disk, Buffer.alloc(40 * MiB));
  writeFileSync(join(folder, 'key'), 'another');
  const cryptsetup = (command: string): string =>
    execFileSync('sh', ['-ec', `printf x | /sbin/cryptsetup -q --disable-locks ${command} 2>&1`], {
      cwd: folder,
      encoding: 'utf8',
    });
  cryptsetup(`luksFormat ${quick} ${options} disk -`);
  return {
    disk,
    cryptsetup,
    gap: () => {
      const bytes = readFileSync(disk);
      return findLuksGap((start, count) => bytes.subarray(start, start + count));
    },
  };
}

function writeMark(disk: string, start: number): void {
  const bytes = readFileSync(disk);
  bytes.write(mark, start, 'latin1');
  writeFileSync(disk, bytes);
}

for (const { options, dataStart } of [
  { options: '--type luks2', dataStart: 16 * MiB },
  {
    options: '--type luks2 --sector-size 4096 --luks2-metadata-size 64k --offset 16384',
    dataStart: 8 * MiB,
  },
  { options: '--type luks1', dataStart: 2 * MiB },
])
  test(`a container made with ${options}: eight keys leave the mark alone, and it them`, t => {
    const { disk, cryptsetup, gap } = container(t, options);
    const found = gap();
    assert.deepEqual(found, { start: dataStart - luksGapBytes });
    writeMark(disk, found.start);
    for (let key = 1; key < 8; key++) cryptsetup(`luksAddKey ${quick} --key-file - disk key`);
    cryptsetup('luksOpen --test-passphrase --key-file key disk');
    cryptsetup('luksOpen --test-passphrase --key-file - disk');
    assert.equal(readFileSync(disk).toString('latin1', found.start, found.start + mark.length), mark);
    assert.deepEqual(gap(), found);
  });

test('a container whose first header is lost is read from the second, as cryptsetup repairs it', t => {
  const { disk, cryptsetup, gap } = container(t, '--type luks2');
  const found = gap();
  const bytes = readFileSync(disk);
  bytes.fill(0xff, 512, 4096);
  writeFileSync(disk, bytes);
  assert.deepEqual(gap(), found);
  cryptsetup('repair disk');
  cryptsetup('luksOpen --test-passphrase --key-file - disk');
  assert.deepEqual(gap(), found);
});
