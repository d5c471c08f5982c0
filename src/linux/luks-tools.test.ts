// What cryptsetup writes is read as it means it, and a mark changes nothing for it. Needs cryptsetup; no device-mapper.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { luksSpot } from './luks-header.ts';

const skip = existsSync('/sbin/cryptsetup') ? false : 'there is no cryptsetup here';
const quick = '--pbkdf pbkdf2 --pbkdf-force-iterations 1000';
const sh = (command: string): string => execFileSync('sh', ['-ec', command], { encoding: 'utf8' });

function container(context: TestContext, options: string) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-luks-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const disk = join(folder, 'disk');
  writeFileSync(disk, '');
  truncateSync(disk, 40 * 2 ** 20);
  const cryptsetup = (rest: string): string =>
    sh(`printf x | /sbin/cryptsetup -q --disable-locks ${rest} 2>&1`);
  cryptsetup(`luksFormat ${quick} ${options} ${disk} -`);
  const spot = () => {
    const bytes = readFileSync(disk);
    return luksSpot((start, count) => bytes.subarray(start, start + count));
  };
  return { folder, disk, cryptsetup, spot };
}

for (const [options, start] of [
  ['--type luks2', 16 * 2 ** 20],
  ['--type luks2 --sector-size 4096 --luks2-metadata-size 64k --offset 16384', 8 * 2 ** 20],
  ['--type luks1', 2 * 2 ** 20],
] as const)
  test(`a container made with ${options}`, { skip }, t => {
    const { folder, disk, cryptsetup, spot } = container(t, options);
    const found = spot();
    assert.equal(found?.start, start - 4096);
    assert.equal(found.isRoomForKeys, options.includes('luks2'));
    sh(`printf YADOKARI | dd of=${disk} bs=4096 seek=${found.start / 4096} conv=notrunc status=none`);
    // All the keys that there is room for: eight, or as many as fit; the mark stays.
    writeFileSync(join(folder, 'key'), 'another');
    for (let key = 0; key < 7; key++)
      cryptsetup(`luksAddKey ${quick} --key-file - ${disk} ${join(folder, 'key')}`);
    cryptsetup(`luksOpen --test-passphrase --key-file ${join(folder, 'key')} ${disk}`);
    assert.equal(readFileSync(disk).toString('latin1', found.start, found.start + 8), 'YADOKARI');
    assert.deepEqual(spot(), found);
  });
