// What the initramfs puts under the root file system, and when it starts nothing: the script itself, with everything it
// reaches for moved into a folder.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startScript } from './fixture-initramfs.ts';

const firstBytes = (start: string): Buffer => Buffer.concat([Buffer.from(start)], 4096);
const marked = firstBytes('YADOKARI{"state":"leaving"}');

const start = (context: TestContext, disk: Buffer, cmdline: string) =>
  startScript(context, {
    script: 'initramfs-local-premount',
    cmdline,
    files: { 'dev/vda': disk, 'sys/class/block/vda/size': '2048\n' },
    device: 'dev/vda',
  });

const hiding = 'create yado-root\n0 2 zero\n2 2046 linear /dev/vda 2\n';
const plain = 'create yado-root --table 0 2048 linear /dev/vda 0\n';

test('where nothing lies before the file system the mark is hidden from it', t => {
  const { table, root, said } = start(t, firstBytes(''), 'quiet');
  assert.deepEqual({ table, root, said }, { table: hiding, root: 'ROOT=/dev/mapper/yado-root\n', said: '' });
});

test('a file system or a boot loader that lies there is seen as it is', t => {
  for (const disk of [firstBytes('XFSB\0\0\x10'), firstBytes('\0\0\0\xeb\x3c')])
    assert.equal(start(t, disk, 'quiet').table, plain);
});

test('an OS that has left is not started, with the stub or without it', t => {
  for (const cmdline of ['quiet', 'yado.root=off']) {
    const { table, root, said, waits } = start(t, marked, cmdline);
    assert.deepEqual([table, root, waits], ['', '', true]);
    assert.match(said, /the standby image is started instead[\s\S]*must not be started a second time/);
  }
});

test('only a person who accepts that there may be two starts it', t => {
  assert.equal(start(t, marked, 'yado.accept-risk=two-copies').table, hiding);
  const { table, waits } = start(t, marked, 'yado.root=off yado.accept-risk=two-copies');
  assert.deepEqual([table, waits], ['', false]);
});

test('without the stub the OS is started as it was', t => {
  const { table, root, said } = start(t, firstBytes(''), 'yado.root=off');
  assert.deepEqual([table, root], ['', '']);
  assert.match(said, /no stub under the root file system/);
});

/** vda with a container in it, opened as dm-1, which is the root file system; between them the stub, or nothing. */
function startEncrypted(context: TestContext, cmdline: string, change: Readonly<Record<string, string>>) {
  const container = Buffer.concat([firstBytes('LUKS\xba\xbe'), Buffer.alloc(8192)]);
  if ('mark' in change) container.write('YADOKARI{}', 8192 - 4096);
  const { mark: _, ...files } = change;
  return startScript(context, {
    script: 'initramfs-local-premount',
    cmdline,
    files: {
      ...{ 'dev/vda': container, 'dev/dm-1': firstBytes(''), 'sys/class/block/vda/size': '2048\n' },
      ...{ 'sys/class/block/dm-1/size': '2000\n', 'sys/class/block/dm-1/dm/name': 'vda_crypt\n' },
      ...files,
    },
    device: 'dev/dm-1',
    dump: 'Data segments:\n  0: crypt\n\toffset: 8192 [bytes]\n',
  });
}
const stub = {
  'sys/class/block/dm-1/slaves/dm-0': '',
  'sys/class/block/dm-0/dm/name': 'yado-disk\n',
  'sys/class/block/dm-0/slaves/vda': '',
};
const noStub = { 'sys/class/block/dm-1/slaves/vda': '' };

test('where a stub lies beneath the container already there is no other', t => {
  const { table, root, said } = startEncrypted(t, 'quiet', stub);
  assert.deepEqual({ table, root, said }, { table: '', root: '', said: '' });
});

test('a container without a stub gets one above, as any device', t => {
  assert.match(
    startEncrypted(t, 'quiet', noStub).table,
    /^create yado-root\n0 2 zero\n2 1998 linear \/dev\/dm-1 2\n$/,
  );
});

test('nor is an OS started that has left its container, however that was opened', t => {
  for (const below of [stub, noStub]) {
    const { table, root, said, waits } = startEncrypted(t, 'quiet', { ...below, mark: '' });
    assert.deepEqual([table, root, waits], ['', '', true]);
    assert.match(said, /the standby image is started instead[\s\S]*must not be started a second time/);
  }
  const told = startEncrypted(t, 'quiet', { ...stub, 'run/yado/marked': 'vda_crypt\n' });
  assert.ok(told.waits, 'local-top has seen the mark');
});
