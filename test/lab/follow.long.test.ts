// The disk follows the OS to a disk of B; then A is switched off for good, and nothing is missed. Later it comes home again, and
// only what has changed meanwhile is copied.
import assert from 'node:assert/strict';
import type { Status } from '#core/api.ts';
import type { Computer } from '#lab/computer.ts';
import { os } from '#lab/os-recipe.ts';
import { waitFor } from '#lab/time.ts';
import { startWorkload, tickerPort } from '#lab/workload.ts';
import { bootStory } from './boot-story.ts';
import { bootIdOf, deviceRow, json, noKernelComplaint, places, standbyReady, worksOn } from './stories.ts';

const told = await bootStory('follow', { scenario: 'follow' });
const { lab, a, b, bootId, story } = told;
await startWorkload(a, { memoryMiB: 20 });
const connection = await lab.third.watchConnection(os.address, tickerPort);

async function moveTo(target: Computer, options: string): Promise<void> {
  const moved = await told.at.exec(`yado migrate ${target.name} ${options}`, { timeoutMs: 400_000 });
  assert.equal(moved.code, 0, moved.output);
  told.at = target;
  assert.equal(await bootIdOf(target), bootId);
}

/** Waits until the disk is at `at`, and gives what `yado status` says of it. */
async function followed(at: Computer): Promise<NonNullable<Status['disk']>> {
  let last = '';
  const done = await waitFor(
    `the disk to follow to ${at.name}`,
    async () => {
      const { disk } = await json<Status>(at, 'yado status --json');
      if (disk && disk.text !== last) console.log(`# ${disk.text}`);
      last = disk?.text ?? '';
      assert.notEqual(disk?.kind, 'givenUp', last);
      return disk?.kind === 'done' ? disk : undefined;
    },
    { timeoutMs: 30 * 60_000, everyMs: 5000 },
  );
  assert.equal((await places(at)).disk0, at.name);
  assert.equal((await deviceRow(at, 'disk0')).way, 'direct');
  return done;
}

story('a disk that was not named, is not there, or would not do, is refused by name', async () => {
  for (const [options, says] of [
    ['--disk=follow', /No disk of b was named for the OS[\s\S]*virtio-spare-b/],
    ['--disk=follow --to-disk=virtio-other', /b has no disk virtio-other/],
    ['--disk=shared', /b does not reach the disk of the OS/],
  ] as const) {
    const tried = await a.exec(`yado migrate b ${options} --dry-run`, { timeoutMs: 120_000 });
    assert.equal(tried.code, 4, tried.output);
    assert.match(tried.output, says);
  }
});

story('it moves to B, and the disk follows in the background', async () => {
  await a.shell('head -c 30000000 /dev/urandom > /root/big && sha256sum /root/big > /root/sum && sync');
  await moveTo(b, '--disk=follow --to-disk=/dev/disk/by-id/virtio-spare-b');
  await b.shell('head -c 5000000 /dev/urandom > /root/during && sync', { timeoutMs: 120_000 });
  const { copiedBytes = 0, sizeBytes = 0 } = await followed(b);
  assert.ok(
    copiedBytes > 35e6 && copiedBytes < sizeBytes,
    `${copiedBytes} of ${sizeBytes} bytes were copied`,
  );
  assert.match(await b.shell('yado status'), /^Home +a, whose disk is an older state\./m);
  await worksOn(b);
});

story('A is switched off: the OS reads and writes all of its disk', async () => {
  await a.waitForSerial(/standby a at/, { timeoutMs: 240_000 });
  await a.kill();
  await b.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum', { timeoutMs: 120_000 });
  await b.shell('echo without A > /root/later && sync', { timeoutMs: 60_000 });
  assert.match(await b.shell('dmsetup table yado-root'), /^2 \d+ linear \S+ 2$/m);
  await worksOn(b);
});

story('home again: A has its old disk, and only what has changed is copied', async () => {
  await a.boot('standby');
  await standbyReady(a);
  await moveTo(a, '--disk=follow');
  const { copiedBytes = 0, sizeBytes = 0 } = await followed(a);
  assert.ok(
    copiedBytes > 0 && copiedBytes < sizeBytes / 4,
    `${copiedBytes} of ${sizeBytes} bytes were copied`,
  );
  await b.kill();
  await a.shell('echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/sum; cat /root/later', {
    timeoutMs: 120_000,
  });
  await worksOn(a);
  const seen = await connection.stop();
  assert.ok(seen.whole, JSON.stringify(seen));
  noKernelComplaint([a]);
  await a.shell('sync');
  await a.kill();
  const { clean, report } = await a.checkDisk();
  assert.ok(clean, report);
});
