// What the initramfs puts beneath an encrypted container before it is opened, and what it tells cryptsetup: the script itself,
// with everything it reaches for moved into a folder.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { startScript } from './fixture-initramfs.ts';

const table = 'vda5_crypt UUID=5a3e none luks,discard\nswap_crypt UUID=77 vda5_crypt luks,keyscript=/x\n';
const dataStart = 32_768;
function container(mark = ''): Buffer {
  const disk = Buffer.alloc(dataStart + 4096, 0x5a);
  disk.write('LUKS\xba\xbe\0\x02', 'latin1');
  disk.write(mark, dataStart - 4096);
  return disk;
}
const second = `LUKS header information\nVersion:       \t2\nMetadata area: \t16384 [bytes]\n\nData segments:
  0: crypt\n\toffset: ${dataStart} [bytes]\n\tlength: (whole device)\n\nKeyslots:\n  0: luks2\n\tArea offset:4096 [bytes]\n`;
const first = `LUKS header information for /dev/vda5\n\nVersion:       \t1\nPayload offset:\t${dataStart / 512}\nMK bits:\t512\n`;

const start = (
  context: TestContext,
  {
    disk = container(),
    cmdline = 'quiet',
    dump = second,
    crypttab = table,
    files = {} as Readonly<Record<string, string>>,
    shell = ['/bin/sh'],
  } = {},
) =>
  startScript(context, {
    ...{ script: 'initramfs-local-top', cmdline, dump, device: 'dev/vda5', shell },
    files: {
      ...{ 'cryptroot/crypttab': crypttab, 'dev/vda5': disk, 'sys/class/block/vda5/size': '4096\n' },
      ...files,
    },
  });
const made = 'create yado-disk --table 0 4096 linear /dev/vda5 0\n';

test('the stub goes beneath the container, and cryptsetup is told to open that', t => {
  for (const shell of [['/bin/sh'], ['/bin/busybox', 'sh']]) {
    if (!existsSync(shell[0] ?? '')) continue;
    const { table: stub, crypttab, said, root, marked } = start(t, { shell });
    assert.deepEqual([stub, root, marked], [made, '', '']);
    assert.doesNotMatch(said, /yado/);
    assert.equal(
      crypttab,
      'vda5_crypt /dev/mapper/yado-disk none luks,discard\nswap_crypt UUID=77 vda5_crypt luks,keyscript=/x\n',
    );
  }
});

test('a comment, escapes and missing options in the table are kept', t => {
  for (const end of ['\n', '']) {
    const { crypttab } = start(t, { crypttab: `# by hand\n\nmy\\040disk UUID=5a3e none${end}` });
    assert.equal(crypttab, 'my\\040disk /dev/mapper/yado-disk none \n');
  }
});

test('an OS that has left is opened only to be read, and nothing wakes up on it', t => {
  for (const dump of [second, first]) {
    const at = start(t, { disk: container('YADOKARI{"state":"left"}'), dump });
    assert.equal(at.table, 'create yado-disk --readonly --table 0 4096 linear /dev/vda5 0\n');
    assert.match(at.crypttab, /^vda5_crypt \/dev\/mapper\/yado-disk none luks,discard,readonly\n/);
    assert.deepEqual(
      [at.root, at.marked, at.asked],
      ['resume=\n', 'vda5_crypt\n', 'blockdev --setro /dev/vda5\n'],
    );
    assert.match(at.said, /has gone to another computer[\s\S]*start this computer with the standby medium/);
  }
});

test('so it is with yado.root=off; not when a person accepts that there may be two', t => {
  const disk = container('YADOKARI{"state":"left"}');
  assert.ok(start(t, { disk, cmdline: 'yado.root=off' }).marked);
  const risky = start(t, { disk, cmdline: 'yado.accept-risk=two-copies' });
  assert.deepEqual([risky.table, risky.marked], [made, '']);
});

test('what is not as expected stays as it was', t => {
  const left = [
    { cmdline: 'yado.root=off' },
    { cmdline: 'cryptopts=target=x,source=/dev/vda5' },
    { disk: Buffer.alloc(4096, 1) },
    { crypttab: 'vda5_crypt UUID=5a3e none luks,header=/boot/header\n' },
    { files: { 'sys/class/block/vda5/slaves/vdb': '' } },
    { crypttab: '' },
  ];
  for (const each of left) {
    const { table: stub, crypttab, said } = start(t, each);
    assert.deepEqual([stub, crypttab, said], ['', each.crypttab ?? table, ''], JSON.stringify(each));
  }
});
