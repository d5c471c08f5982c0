// The OS is restarted, and another time shut down, away from home: the computer that serves its disk hears of it from its last
// program, and does what the OS would have done there. Its root file system is a volume of LVM, with the parameters and the
// fstab of before the package: it may move as long as the volume is linear.
import assert from 'node:assert/strict';
import type { Doctor } from '#core/api.ts';
import { os } from '#lab/os-recipe.ts';
import { waitFor } from '#lab/time.ts';
import { bootStory } from './boot-story.ts';
import { agentSays, bootIdOf, json, noKernelComplaint, standbyReady } from './stories.ts';

const booted = await bootStory('ended', { layout: 'lvm' });
const { a, b, bootId, story } = booted;
const moveMs = 400_000;
const endMs = 300_000;

/** What ext4 says when it was not unmounted, or not made read-only, by whoever had it before. */
const unclean = /EXT4-fs[^\n]*(recovery complete|orphan cleanup)/;

/** What `yado doctor` says of the OS at home. */
async function checkOf(id: string): Promise<Doctor['checks'][number]> {
  const { checks } = await json<Doctor>(a, 'yado doctor --json || true'); // exits with an error when one is against it
  const check = checks.find(each => each.id === id);
  assert.ok(check, id);
  return check;
}

story('the stub lies under a root file system on LVM; a volume with a snapshot is refused', async () => {
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
  for (const id of ['disk-stub', 'disk-volume', 'disk-mark']) assert.ok((await checkOf(id)).ok, id);
  await a.shell('lvcreate -qq -s -l 1 -n before crab/root', { timeoutMs: 60_000 });
  const refused = await checkOf('disk-volume');
  assert.ok(!refused.ok);
  assert.match(refused.text, /cannot move: the volume crab\/root has a snapshot/);
  await a.shell('lvremove -qq -y crab/before', { timeoutMs: 60_000 });
  assert.ok((await checkOf('disk-volume')).ok);
});

story('restarted at B, the OS starts again from its disk at A, and B is a standby again', async () => {
  await a.shell('yado migrate b', { timeoutMs: moveMs });
  booted.at = b;
  assert.equal(await bootIdOf(b), bootId);
  await b.shell('echo kept > /root/kept'); // written when the OS ends, and not before
  const [atA, atB] = [a.serialMark(), b.serialMark()] as const;
  await b.shell('systemctl --no-block reboot');
  await b.waitForSerial(/a knows that crab has ended/, { timeoutMs: endMs, since: atB });
  await a.waitForSerial(/crab has ended: this computer restarts/, { timeoutMs: endMs, since: atA });
  await a.waitForSerial(/yado: active on a/, { timeoutMs: endMs, since: atA });
  booted.at = a;
  await agentSays(a, /active/);
  assert.notEqual(await bootIdOf(a), bootId);
  assert.equal(await a.shell('cat /root/kept'), 'kept\n');
  assert.doesNotMatch(a.serialLog().slice(atA), unclean);
  await standbyReady(b);
});

story('shut down at B, A, a standby by then, switches itself off; switched on it starts the OS', async () => {
  await a.shell('yado migrate b', { timeoutMs: moveMs });
  booted.at = b;
  await agentSays(b, /^Home +a: it starts the OS again/m);
  await b.shell('yado standby a', { timeoutMs: endMs });
  await standbyReady(a);
  await b.shell('echo twice > /root/kept');
  await b.shell('systemctl --no-block poweroff');
  await waitFor('both to be off', () => (a.on || b.on ? undefined : true), { timeoutMs: endMs });
  const disk = await a.checkDisk('lvm');
  assert.ok(disk.clean, disk.report);
  const mark = a.serialMark();
  await a.boot();
  await a.waitForSerial(/yado: active on a/, { timeoutMs: endMs, since: mark });
  booted.at = a;
  assert.equal(await a.shell('cat /root/kept', { timeoutMs: endMs }), 'twice\n');
  assert.doesNotMatch(a.serialLog().slice(mark), unclean);
});

story('no kernel has complained', async () => noKernelComplaint([a, b]));
