// The package in a Debian whose root file system is a volume of LVM: with the parameters and the fstab of before the stub is
// under it after the next start. Such an OS cannot be moved yet, and the doctor says so before anything stops.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Doctor } from '#core/api.ts';
import { startLab } from '#lab/lab.ts';
import { os } from '#lab/os-recipe.ts';
import { product } from '#lab/product.ts';

test('the stub goes under a root file system on LVM, and the doctor says that it cannot be moved', async () => {
  await using lab = await startLab({
    ...product(),
    scenario: 'alone',
    layout: 'lvm',
    say: text => console.log(`# ${text}`),
  });
  const a = lab.computer('a');
  const told = `root=UUID=${os.fileSystem}`;
  assert.ok((await a.shell('cat /proc/cmdline')).split(' ').includes(told));
  assert.match(await a.shell('cat /etc/fstab'), new RegExp(`^UUID=${os.fileSystem} / `));
  assert.match(await a.shell('cat /proc/mounts'), /^\/dev\/mapper\/yado-root \/ ext4 /m);
  const tree = await a.shell('dmsetup deps -o devname yado-root; dmsetup deps -o devname crab-root');
  assert.match(tree, /\(dm-\d+|crab-root\)[\s\S]*\((vda2)\)/);
  // Links by UUID lead to the stub, not past it.
  assert.equal(
    await a.shell(`readlink -f /dev/disk/by-uuid/${os.fileSystem}`),
    await a.shell('readlink -f /dev/mapper/yado-root'),
  );
  const doctor = JSON.parse((await a.exec('yado doctor --json')).output) as Doctor;
  const check = doctor.checks.find(each => each.id === 'disk-stub');
  assert.equal(check?.ok, false);
  assert.match(check.hint, /on LVM, RAID or encryption it cannot be moved yet/);
  assert.doesNotMatch(a.serialLog(), /WARNING: |BUG: |Oops|Call Trace/);
});
