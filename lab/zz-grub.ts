import { startLab } from './lab.ts';
import { product } from './product.ts';

const p = product(console.log);
await using lab = await startLab({
  ...p,
  scenario: 'alone',
  layout: 'partition',
  include: ['grub2-common', 'grub-pc-bin'],
  boot: process.argv[2] === 'boot',
  id: 'debgrub',
  say: console.log,
});
if (process.argv[2] === 'boot') {
  const a = lab.computer('a');
  const go = async (c: string, t = 120_000) => {
    const r = await a.exec(c, { timeoutMs: t });
    console.log(`$ ${c}\n${r.code}: ${r.output}`);
  };
  await go(
    'cat /proc/cmdline; grep " / " /proc/mounts; ls -l /dev/disk/by-uuid /dev/mapper; lsblk; dmsetup table; systemctl --failed; yado status; dmsetup info -c',
  );
  for (const t of [
    'device',
    'fs_uuid',
    'partuuid',
    'partmap',
    'abstraction',
    'drive',
    'compatibility_hint',
    'bios_hints',
  ])
    await go(`grub-probe -t ${t} / 2>&1`);
  await go(
    'mkdir -p /boot/grub; time grub-mkconfig -o /boot/grub/grub.cfg 2>&1; grep -n "linux\\|search\\|insmod part\\|set root" /boot/grub/grub.cfg | head -40',
    600_000,
  );
  await go(
    'time grub-install -v --target=i386-pc --boot-directory=/boot /dev/vda 2>&1 | grep -v "info: copying\\|info: opening\\|info: Getting" | tail -60; cat /boot/grub/i386-pc/load.cfg',
    600_000,
  );
  await go('yado doctor 2>&1');
  await go('time update-initramfs -u 2>&1 | tail -3', 900_000);
}
