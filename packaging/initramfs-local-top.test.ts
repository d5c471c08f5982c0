// What the initramfs puts beneath an encrypted root file system, and when it starts nothing: the script itself, with everything
// it reaches for moved into a folder, and programs that only say what they are asked.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const text = readFileSync(join(import.meta.dirname, 'files/initramfs-local-top'), 'utf8');
const KiB = 1024;
/** A container whose data begins at 32 KiB, marked or not. */
function container(mark = ''): Buffer {
  const disk = Buffer.alloc(64 * KiB);
  disk.write('LUKS\xba\xbe', 'latin1');
  disk.write(mark, 28 * KiB);
  return disk;
}
const marked = container('YADOKARI{"state":"left"}');
const dumps = {
  luks2:
    'Keyslots:\n\tArea offset:8192 [bytes]\nData segments:\n  0: crypt\n\toffset: 32768 [bytes]\n\tlength: (whole device)\n',
  luks1: 'Version:       \t1\nPayload offset:\t64\nMK bits:       \t512\n',
};
const entry = 'crab_crypt UUID=x none luks,discard\n';

interface Around {
  readonly crypttab?: string;
  readonly cmdline?: string;
  readonly dump?: string;
  readonly dmsetup?: string;
  /** From the beginning; else the disk is found by UUID=x. */
  readonly there?: string;
}

function computer(
  context: TestContext,
  disk: Buffer,
  { crypttab = entry, cmdline = 'quiet', dump = dumps.luks2, dmsetup = 'exit 0', there = '' }: Around = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-local-top-'));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['bin', 'scripts', 'cryptroot', 'sys/vda2'])
    mkdirSync(join(folder, name), { recursive: true });
  const put = (name: string, contents: string | Buffer, mode = 0o644): void =>
    writeFileSync(join(folder, name), contents, { mode });
  put('cmdline', `root=/dev/mapper/crab_crypt ${cmdline}\n`);
  put('cryptroot/crypttab', crypttab);
  put('vda2', disk);
  put('stub', '');
  put('sys/vda2/size', '128\n');
  put(
    'scripts/functions',
    `wait_for_udev() { :; }
resolve_device() { case $1 in UUID=x) [ ! -e ${folder}/late ] && echo ${folder}/vda2 ;; ?*) [ "$1" = "${there}" ] ;; *) false ;; esac; }
`,
  );
  const program = (name: string, body: string): void => put(`bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);
  program('modprobe', '');
  program('cryptsetup', `cat <<'EOF'\n${dump}EOF`);
  program('sleep', `[ "$1" = 1 ] || { touch ${folder}/waits; kill $PPID; }`);
  program('dmsetup', `[ "$1" = create ] || exit 0\necho "$@" >> ${folder}/table\n${dmsetup}`);
  const script = text
    .replaceAll('/proc/cmdline', `${folder}/cmdline`)
    .replaceAll('/scripts/', `${folder}/scripts/`)
    .replaceAll('/cryptroot/', `${folder}/cryptroot/`)
    .replaceAll('/sys/class/block/$block', `${folder}/sys/vda2`)
    .replaceAll('/sys/class/block/*', `${folder}/sys/*`)
    .replaceAll('/sys/class/block/"$1"', `${folder}/sys/"$1"`)
    .replaceAll('"/dev/$at"', `"${folder}/$at"`)
    .replaceAll('"/dev/$1"', `"${folder}/$1"`)
    .replaceAll('[ -b ', '[ -e ')
    .replaceAll('stub=/dev/mapper/yado-root', `stub=${folder}/stub`);
  const env = { PATH: `${folder}/bin:/usr/bin:/bin`, ROOT: '/dev/mapper/crab_crypt' };
  const read = (name: string): string =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').replaceAll(folder, '') : '';
  const runIn = (stage: 'local-top' | 'local-block', ...words: string[]) => {
    const args = ['-c', script, `/scripts/${stage}/yadokari`, ...words];
    const { stdout, stderr } = spawnSync('/bin/sh', args, { env, encoding: 'utf8', timeout: 20_000 });
    return {
      said: stdout + stderr,
      table: read('table'),
      crypttab: read('cryptroot/crypttab'),
      waits: existsSync(join(folder, 'waits')),
    };
  };
  const late = join(folder, 'late');
  return {
    /** Looks beneath a volume in an unlocked container on the disk. */
    beneath: () => {
      for (const each of ['dm-1/slaves/dm-0', 'dm-0/slaves/vda2'])
        mkdirSync(join(folder, 'sys', each), { recursive: true });
      for (const each of ['dm-0', 'dm-1']) put(each, Buffer.alloc(8192));
      return runIn('local-top', 'beneath', 'dm-1');
    },
    /** The disk is not there, or is there after all. */
    disk: (isThere: boolean) => (isThere ? rmSync(late) : writeFileSync(late, '')),
    runIn,
  };
}

const start = (...args: Parameters<typeof computer>) => computer(...args).runIn('local-top');

const hidden = 'crab_crypt /stub none luks,discard\n';
const stub = 'create yado-root --table 0 128 linear /vda2 0\n';

test('the stub goes beneath the container, and cryptroot unlocks it there', t => {
  assert.deepEqual(start(t, container()), {
    said: '',
    table: stub,
    crypttab: hidden,
    waits: false,
  });
});

test('a disk that takes its time is not unlocked before it has been looked at', t => {
  for (const [contents, table, waits] of [
    [container(), stub, false],
    [marked, '', true],
  ] as const) {
    const late = computer(t, contents);
    late.disk(false);
    assert.deepEqual(late.runIn('local-top'), { said: '', table: '', crypttab: hidden, waits: false });
    assert.deepEqual(late.runIn('local-block'), { said: '', table: '', crypttab: hidden, waits: false });
    late.disk(true);
    const found = late.runIn('local-block');
    assert.deepEqual([found.table, found.crypttab, found.waits], [table, hidden, waits]);
    if (!waits) assert.equal(late.runIn('local-block').table, stub, 'once');
  }
  const unfit = computer(t, Buffer.alloc(8192));
  unfit.disk(false);
  unfit.runIn('local-top');
  unfit.disk(true);
  assert.equal(unfit.runIn('local-block').crypttab, entry);
  assert.deepEqual(unfit.runIn('local-block'), { said: '', table: '', crypttab: entry, waits: false });
});

test('where the root file system is there before, what is encrypted is something else', t => {
  const around = { there: '/dev/mapper/crab_crypt' };
  assert.deepEqual(start(t, container(), around), { said: '', table: '', crypttab: entry, waits: false });
});

test('an OS that has left is not started, with the stub or without it; nobody is asked for the passphrase', t => {
  for (const dump of Object.values(dumps))
    for (const cmdline of ['quiet', 'yado.root=off']) {
      const { table, crypttab, said, waits } = start(t, marked, { cmdline, dump });
      assert.deepEqual([table, crypttab, waits], ['', hidden, true], 'cryptroot does not find it');
      assert.match(said, /must not be started a second time[\s\S]*yado standby build/);
    }
});

test('nor where it is not known which disk it would be', t => {
  const cases: readonly Around[] = [
    { crypttab: `${entry}swap_crypt UUID=y none luks\n` },
    { cmdline: 'cryptopts=target=c,source=UUID=x' },
    { crypttab: 'c UUID=x none luks,header=/h\n' },
  ];
  for (const around of cases) {
    const { said, table, waits } = start(t, marked, around);
    assert.deepEqual([table, waits], ['', true]);
    assert.match(said, /must not be started a second time/);
  }
});

test('one that was unlocked past all this, by hand or late, is looked at once more before it is mounted', t => {
  for (const crypttab of [entry, '']) {
    const { said, waits } = computer(t, marked, { crypttab }).beneath();
    assert.match(said, /must not be started a second time/);
    assert.ok(waits);
  }
  const nothing = { said: '', table: '', crypttab: entry, waits: false };
  assert.deepEqual(computer(t, container()).beneath(), nothing);
  const accepted = computer(t, marked, { cmdline: 'yado.accept-risk=two-copies' });
  assert.deepEqual(accepted.beneath(), nothing);
});

test('only a person who accepts that there may be two starts it', t => {
  assert.equal(start(t, marked, { cmdline: 'yado.accept-risk=two-copies' }).table, stub);
});

test('where it cannot be the OS is started as it was, and the reason is said', t => {
  const cases: readonly (readonly [Buffer, Around, RegExp])[] = [
    [container(), { cmdline: 'yado.root=off' }, /yado\.root=off/],
    [container(), { crypttab: `# old\n${entry}swap_crypt UUID=y none luks\n` }, /several are unlocked/],
    [container(), { crypttab: 'c UUID=x none luks,header=/h\n' }, /its header lies elsewhere/],
    [container(), { cmdline: 'cryptopts=source=UUID=x' }, /cryptopts=/],
    [Buffer.alloc(8192), {}, /is no LUKS container/],
    [container(), { dmsetup: 'exit 1' }, /cannot be put on/],
  ];
  for (const [disk, around, says] of cases) {
    const { said, crypttab } = start(t, disk, around);
    assert.match(said, says);
    assert.match(said, /this OS cannot be moved/);
    assert.equal(crypttab, around.crypttab ?? entry);
  }
  assert.deepEqual(start(t, container(), { crypttab: '' }), {
    said: '',
    table: '',
    crypttab: '',
    waits: false,
  });
  assert.deepEqual(start(t, container(), { crypttab: '# none\n' }).said, '');
});
