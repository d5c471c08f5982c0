// What is said of an initramfs of a standby after it was packed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { driversIn, driverTable, packCpio } from './initrd.ts';

const aliases = `# Aliases extracted from modules themselves.
alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e
alias char-major-10-237 loop
alias scsi:t-0x00* sd_mod
`;

test('of all aliases those of devices are kept, and what is built in is named', () => {
  const builtin = 'kernel/drivers/virtio/virtio-pci.ko\nkernel/fs/nls/nls_base.ko\n';
  const modinfo = 'virtio_pci.alias=pci:v00001AF4d*\0nls_base.license=GPL\0';
  assert.equal(
    driverTable(aliases, builtin, modinfo),
    `alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e
alias scsi:t-0x00* sd_mod
alias pci:v00001AF4d* virtio_pci
builtin virtio-pci
builtin nls_base
`,
  );
});

test('it is read out of the initramfs itself', t => {
  const folder = mkdtempSync(join(tmpdir(), 'yado-initrd-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const pack = (name: string, files: Readonly<Record<string, string>>): string => {
    const modules = join(folder, name, 'lib/modules/6.1.0');
    mkdirSync(modules, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(modules, file), text);
    packCpio(join(folder, name), join(folder, `${name}.cpio`));
    execFileSync('zstd', ['-q', join(folder, `${name}.cpio`), '-o', join(folder, `${name}.img`)]);
    return join(folder, `${name}.img`);
  };
  const files = {
    'modules.alias': aliases,
    'modules.builtin': 'kernel/a.ko\n',
    'modules.builtin.modinfo': '',
  };
  assert.equal(driversIn(pack('whole', files)).split('\n').length, 4);
  assert.throws(() => driversIn(pack('empty', {})), /holds no modules/);
});
