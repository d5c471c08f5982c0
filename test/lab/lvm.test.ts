// The package in a Debian whose root file system is a volume of LVM: with the parameters and the fstab of before the stub is
// under it after the next start. A linear volume may move; one that has become another kind is refused by name. A new GRUB
// finds the volume beneath the stub.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Doctor } from '#core/api.ts';
import { startLab } from '#lab/lab.ts';
import { os } from '#lab/os-recipe.ts';
import { product } from '#lab/product.ts';

test('the stub goes under a root file system on LVM; it may move as long as the volume is linear', async () => {
  await using lab = await startLab({
    ...product(),
    scenario: 'alone',
    layout: 'lvm',
    include: ['grub-pc-bin', 'grub2-common'],
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
  const grub = await a.shell('mkdir -p /boot/grub && grub-install -v --target=i386-pc /dev/vda 2>&1', {
    timeoutMs: 300_000,
  });
  assert.match(grub, /^Installation finished\. No error reported\.$/m);
  const core = /grub-mkimage .*/.exec(grub)?.[0] ?? grub.slice(-2000);
  for (const module of ['lvm', 'part_gpt', 'ext2']) assert.match(core, new RegExp(`'${module}'`));
  const checkOf = async (id: string) => {
    const doctor = JSON.parse((await a.exec('yado doctor --json')).output) as Doctor;
    return doctor.checks.find(each => each.id === id);
  };
  for (const id of ['disk-stub', 'disk-volume', 'disk-mark']) assert.equal((await checkOf(id))?.ok, true, id);
  await a.shell('lvcreate -qq -s -l 1 -n before crab/root', { timeoutMs: 60_000 });
  const refused = await checkOf('disk-volume');
  assert.equal(refused?.ok, false);
  assert.match(refused.text, /cannot move: the volume crab\/root has a snapshot/);
  await a.shell('lvremove -qq -y crab/before', { timeoutMs: 60_000 });
  assert.equal((await checkOf('disk-volume'))?.ok, true);
  assert.doesNotMatch(a.serialLog(), /WARNING: |BUG: |Oops|Call Trace/);
});
