// A new GRUB finds the root file system beneath the stub when that lies on a volume of LVM.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLab } from '#lab/lab.ts';
import { product } from '#lab/product.ts';

test('grub-install sees the volume and its disk through the stub', async () => {
  await using lab = await startLab({
    ...product(),
    scenario: 'alone',
    layout: 'lvm',
    include: ['grub-pc-bin', 'grub2-common'],
    say: text => console.log(`# ${text}`),
  });
  const a = lab.computer('a');
  assert.match(await a.shell('cat /proc/mounts'), /^\/dev\/mapper\/yado-root \/ ext4 /m);
  const grub = await a.shell('mkdir -p /boot/grub && grub-install -v --target=i386-pc /dev/vda 2>&1', {
    timeoutMs: 300_000,
  });
  assert.match(grub, /^Installation finished\. No error reported\.$/m);
  const core = /grub-mkimage .*/.exec(grub)?.[0] ?? grub.slice(-2000);
  for (const module of ['lvm', 'part_gpt', 'ext2']) assert.match(core, new RegExp(`'${module}'`));
});
