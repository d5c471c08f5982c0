// How long a standby looks for the mark of an OS on its disks: the functions of its PID 1, with all they reach for moved into a
// folder, where a stand-in for `sleep` lets disks appear while it counts the time.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const text = readFileSync(join(import.meta.dirname, 'init'), 'utf8');
const functions = [...text.matchAll(/^\w+\(\) \{\n(?:.*\n)*?\}\n/gm)].map(([found]) => found).join('');
const hba = '0000:03:00.0';

/** `appear`: what a shell does at that moment, in tenths of a second. `disk NAME [YADOKARI]` is one behind the controller. */
function look(context: TestContext, appear: Readonly<Record<number, string>>, controllerClass = '0x010700') {
  const folder = mkdtempSync(join(tmpdir(), 'yado-init-'));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['sys/class/block', 'sys/bus/usb/devices', 'dev', 'etc/yadokari', 'run'])
    mkdirSync(join(folder, name), { recursive: true });
  const controller = join(folder, 'sys/bus/pci/devices', hba);
  mkdirSync(join(controller, 'driver'), { recursive: true });
  writeFileSync(join(controller, 'class'), `${controllerClass}\n`);
  const cases = Object.entries(appear).map(([at, what]) => `${at}) ${what} ;;`);
  const script = `
${functions.replaceAll(/\/(sys|dev|etc|run)\//g, `${folder}/$1/`)}
now=0
disk() {
  mkdir -p ${folder}/devices/${hba}/$1/device
  ln -s ../../../devices/${hba}/$1 ${folder}/sys/class/block/$1
  printf %s "\${2:-nothing here}" > ${folder}/dev/$1
}
sleep() { now=$((now + 2)); case $now in ${cases.join('\n')} esac; }
volume_marked() { return 1; }
if look_for_mark; then echo "found $now"; else echo "given up $now"; fi`;
  const { stdout, stderr } = spawnSync('busybox', ['sh', '-c', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(stderr, '');
  return stdout.trim();
}

test('a computer whose disks have no mark is looked at for two seconds', t => {
  assert.equal(look(t, {}, '0x010601'), 'given up 20'); // AHCI: its disks come with its driver
});

test('a controller that has shown no disk yet is waited for half a minute', t => {
  assert.equal(look(t, {}), 'given up 300');
  assert.equal(look(t, { 250: 'disk sda YADOKARI' }), 'found 250');
});

test('its first disk is not the last: the look goes on until nothing new has come for two seconds', t => {
  const first = { 60: 'disk sda', 70: 'disk sda1' };
  assert.equal(look(t, { ...first, 88: 'disk sdb', 104: 'disk sdb1 YADOKARI' }), 'found 104');
  assert.equal(look(t, first), 'given up 90');
});

test('a disk that is there before its partitions is waited for too, on any controller', t => {
  assert.equal(look(t, { 18: 'disk sda', 36: 'disk sda1 YADOKARI' }, '0x010601'), 'found 36');
});

test('disks that come one after the other without an end are waited for half a minute', t => {
  const endless = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [10 * at + 10, `disk sd${at}`]));
  assert.equal(look(t, endless), 'given up 300');
});
