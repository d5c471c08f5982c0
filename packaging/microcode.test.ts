// The script that takes the microcode of an OS for a standby medium, in a small tree in place of that OS.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';

const script = join(import.meta.dirname, 'files/microcode');
const busybox = '/bin/busybox';

/** What the script writes for an OS with these files, and where it may be unpacked. */
function archiveOf(context: TestContext, files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'yado-microcode-'));
  context.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const { status, stdout, stderr } = spawnSync('sh', [script, join(root, 'work'), busybox], {
    env: { ...process.env, YADO_ROOT: root },
  });
  assert.deepEqual([status, stderr.toString()], [0, '']);
  const unpacked = join(root, 'unpacked');
  mkdirSync(unpacked);
  return { archive: stdout, unpacked };
}

test('all models of one maker are one file, under the name that the kernel looks for', t => {
  const { archive, unpacked } = archiveOf(t, {
    'lib/firmware/intel-ucode/06-9a-03': 'one;',
    'lib/firmware/intel-ucode/06-9e-0a.initramfs': 'two;',
    'lib/firmware/amd-ucode/microcode_amd_fam17h.bin': 'three;',
    'lib/firmware/amd-ucode/README': 'not this',
  });
  assert.equal(archive.toString('latin1', 0, 6), '070701');
  execFileSync(busybox, ['cpio', '-i', '-d', '--quiet'], { cwd: unpacked, input: archive });
  const folder = join(unpacked, 'kernel/x86/microcode');
  assert.deepEqual(readdirSync(folder).toSorted(), ['AuthenticAMD.bin', 'GenuineIntel.bin']);
  assert.equal(readFileSync(join(folder, 'GenuineIntel.bin'), 'utf8'), 'one;two;');
  assert.equal(readFileSync(join(folder, 'AuthenticAMD.bin'), 'utf8'), 'three;');
});

test('an OS without such a package gives nothing', t => {
  assert.equal(archiveOf(t, {}).archive.length, 0);
});
