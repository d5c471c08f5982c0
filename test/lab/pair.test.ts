// Two computers that have never met: nothing can be done with B before it was paired, by commands on both sides and a code
// that both show. Then the OS moves there and home again.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Pairs } from '#core/api.ts';
import type { Computer } from '#lab/computer.ts';
import { waitFor } from '#lab/time.ts';
import { bootStory } from './boot-story.ts';
import { bootIdOf, json, noKernelComplaint, standbyReady } from './stories.ts';

const { a, b, bootId, evidence, story } = await bootStory('pair', { scenario: 'pair' });
/** Pairs at A as soon as B accepts. */
const codeAtA = (): Promise<string> =>
  waitFor(
    'B to wait for an OS',
    async () => {
      const { code, output } = await a.exec('yado pair b --json', { timeoutMs: 60_000 });
      if (code === 0) return (JSON.parse(output) as { code: string }).code;
      assert.match(output, /notAccepting/);
      return undefined;
    },
    { timeoutMs: 90_000 },
  );

/** Starts a pairing on both sides and gives the codes they show. */
async function codes(): Promise<{ atA: string; atB: string }> {
  const there = '/run/yado/code.json';
  await b.shell(`rm -f ${there}; (yado accept --json > ${there} 2>&1 &)`);
  const atA = await codeAtA();
  const atB = await waitFor(
    'the code at B',
    async () => /"code":"(\d{6})"/.exec((await b.exec(`cat ${there}`)).output)?.[1],
    { timeoutMs: 60_000 },
  );
  return { atA, atB };
}

/** Both at once, for each waits for the other. */
async function confirmBoth(atA: string, atB: string): Promise<string[]> {
  const [here, there] = await Promise.all([
    a.exec(`yado confirm ${atA}`, { timeoutMs: 120_000 }),
    b.exec(`yado confirm ${atB}`, { timeoutMs: 120_000 }),
  ]);
  return [here, there].map(each => `${each.code} ${each.output}`);
}

story('an OS that is not paired can do nothing with B, and is told what to type', async () => {
  const tried = await a.exec('yado migrate b --dry-run', { timeoutMs: 60_000 });
  assert.equal(tried.code, 4, tried.output);
  assert.match(tried.output, /This OS is not paired with b\./);
  const closed = await a.exec('yado pair b', { timeoutMs: 60_000 });
  assert.match(closed.output, /b does not wait to be paired at 10\.77\.0\.2:7403/);
});

story('a wrong code pairs nothing', async () => {
  const { atA, atB } = await codes();
  const wrong = atA === '123456' ? '654321' : '123456';
  const [here = '', there = ''] = await confirmBoth(wrong, atB);
  assert.match(here, /^4 [\s\S]*The code here is not/);
  assert.match(there, /^4 [\s\S]*declined at the other side/);
  assert.deepEqual((await json<Pairs>(b, 'yado pairs --json')).computer.owners, []);
});

story(
  'a person types at the screen of B; both show the same code and are paired when it was confirmed on both sides',
  async () => {
    const seen = (pattern: RegExp): Promise<string> =>
      waitFor(
        `${pattern} on the second screen of B`,
        async () => pattern.exec(await b.shell('cat /dev/vcs2'))?.[0],
        { timeoutMs: 90_000 },
      );
    await b.key('alt-f2');
    await seen(/yado> /);
    await b.type('yado accept\n');
    await seen(/Waiting for an OS/);
    await b.screenshot(join(evidence, 'typed.png'));
    const atA = await codeAtA();
    const atB = (await seen(/\b\d{3} \d{3}\b/)).replace(' ', '');
    assert.equal(atA, atB);
    await seen(/same code\?/);
    const confirming = a.exec(`yado confirm ${atA}`, { timeoutMs: 120_000 });
    await b.type('y\n');
    const here = await confirming;
    assert.equal(here.code, 0, here.output);
    assert.match(here.output, /Paired with b\./);
    await seen(/Paired with crab\./);
    await b.key('alt-f1');
    const atHome = await json<Pairs>(a, 'yado pairs --json');
    const away = await json<Pairs>(b, 'yado pairs --json');
    assert.equal(atHome.os?.computers.find(each => each.name === 'b')?.key, away.computer.key);
    assert.equal(away.computer.owners[0]?.key, atHome.os?.key);
    assert.match(await a.shell('cat /var/lib/yadokari/paired.json'), new RegExp(away.computer.key));
  },
);

/** A's other disk as it is called at the time. */
const secondDisk =
  'for disk in /sys/block/sd*; do [ $(cat $disk/size) != 131072 ] || echo /dev/$(basename $disk); done';
/** The table of a PC: its partitions of 20 MiB, one behind the other, as something that printf of a shell writes. */
const partitionBytes = 20 * 2 ** 20;
function partitionTable(count: number): string {
  const table = Buffer.alloc(512);
  for (let each = 0; each < count; each++) {
    const entry = table.subarray(446 + 16 * each);
    entry[4] = 0x83;
    entry.writeUInt32LE(2048 + (each * partitionBytes) / 512, 8);
    entry.writeUInt32LE(partitionBytes / 512, 12);
  }
  table.set([0x55, 0xaa], 510);
  return [...table].map(byte => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}
/** Programs of a user that are told of moves, and one that lets nothing go while there is /root/backup. */
const putHooks = (): Promise<string> =>
  a.shell(`cd /etc/yadokari && mkdir -p hooks && cd hooks
printf '#!/bin/sh\necho $YADO_EVENT $YADO_SOURCE $YADO_TARGET >> /root/asked\n' > tell && chmod +x tell
for event in pre-move pre-freeze post-arrive post-fail; do mkdir $event && cp tell $event/10-tell; done
printf '#!/bin/sh\n[ ! -e /root/backup ] || { echo a backup is running; exit 1; }\n' > tell && cp tell pre-move/20-backup
touch /root/backup`);
/** "loaded", or "masked" where nobody can start it. */
const sleepIs = async (at: Computer): Promise<string> =>
  (await at.shell('systemctl show --value -p LoadState suspend.target')).trim();
const swaps = (at: Computer): Promise<string> => at.shell('tail -n +2 /proc/swaps');
/** What a move sets for its time, and the OS needs for its own suspend and hibernation. */
const kernelSettings = (at: Computer): Promise<string> =>
  at.shell(
    'cat /sys/power/image_size /sys/power/pm_freeze_timeout /sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_swap',
  );
const mountedAt = async (at: Computer, path: string): Promise<string> =>
  (await at.exec(`grep " ${path} " /proc/mounts`)).output.trim();

story(
  'now it moves to B, and home again; what is swapped to and mounted of the other disk of A is so again',
  async () => {
    const disk = (await a.shell(secondDisk)).trim();
    await a.shell(`printf '${partitionTable(3)}' > ${disk} && blockdev --rereadpt ${disk} && udevadm settle`);
    await a.shell(`mkswap ${disk}1 && swapon -p 5 ${disk}1`);
    const make = (number: number, path: string, mount: string): Promise<string> =>
      a.shell(`mkfs.ext4 -q ${disk}${number} && mkdir -p ${path} && ${mount} && echo whole > ${path}/file`);
    // As an installer leaves it, so that systemd has a say in it too.
    const entry = `echo UUID=$(blkid -o value -s UUID ${disk}2) /boot/efi ext4 noatime,nofail 0 2 >> /etc/fstab`;
    await make(2, '/boot/efi', `${entry} && systemctl daemon-reload && mount /boot/efi`);
    await make(3, '/srv', `mount -o noatime ${disk}3 /srv`);
    await a.shell('cd /srv && (sleep 1000000 > /dev/null 2>&1 < /dev/null &)'); // one that uses it all the time
    const settings = await kernelSettings(a);
    const refused = await a.exec('yado migrate b', { timeoutMs: 60_000 });
    assert.match(refused.output, /\/srv on [^ ]+3\. They are mounted anew when the OS is back/);
    assert.equal(refused.code, 4, refused.output);
    await putHooks();
    const forbidden = await a.exec('yado migrate b --accept-risk=other-disks', { timeoutMs: 120_000 });
    assert.equal(forbidden.code, 4, forbidden.output);
    assert.match(
      forbidden.output,
      /\(pre-move\): 20-backup ended with 1: a backup is running; nothing was stopped/,
    );
    await a.shell('rm /root/backup');
    const moved = await a.exec('yado migrate b --accept-risk=other-disks', { timeoutMs: 400_000 });
    assert.equal(moved.code, 0, moved.output);
    assert.equal(await bootIdOf(b), bootId);
    assert.equal(await kernelSettings(b), settings);
    assert.equal((await swaps(b)).trim(), '');
    assert.equal(await mountedAt(b, '/boot/efi'), '');
    const touched = await b.exec('touch /boot/efi/kernel'); // it would be hidden at home
    assert.match(touched.output, /Operation not permitted/);
    await waitFor('sleep to be switched off', async () => (await sleepIs(b)) === 'masked' || undefined, {
      timeoutMs: 60_000,
    });
    const sleep = await b.exec('systemctl suspend');
    assert.notEqual(sleep.code, 0, 'an OS that is away must not sleep');
    assert.match(sleep.output, /masked|denied/); // as logind or systemd itself says it
    const there = await b.shell('udevadm info -q property /dev/disk/by-id/virtio-spare-b');
    assert.match(there, /^UDISKS_IGNORE=1$/m, 'nothing takes a disk of B by itself');
    assert.match(there, /^SYSTEMD_READY=0$/m);
    const home = await b.exec('yado migrate a', { timeoutMs: 400_000 });
    assert.equal(home.code, 0, home.output);
    assert.equal(await bootIdOf(a), bootId);
    await waitFor('sleep to be as before', async () => (await sleepIs(a)) === 'loaded' || undefined, {
      timeoutMs: 60_000,
    });
    const areOn = async (): Promise<true | undefined> => {
      const there = (await a.shell(secondDisk)).trim();
      const isSwap = new RegExp(`^${there}1 +partition\\b.*\\b5$`, 'm').test(await swaps(a));
      const isMounted = async (number: number, path: string): Promise<boolean> =>
        new RegExp(`^${there}${number} ${path} ext4 rw,noatime`).test(await mountedAt(a, path));
      return (isSwap && (await isMounted(2, '/boot/efi')) && (await isMounted(3, '/srv'))) || undefined;
    };
    await waitFor('the swap to be on again and the disks to be mounted', areOn, { timeoutMs: 60_000 });
    assert.equal(await a.shell('cat /boot/efi/file /srv/file'), 'whole\nwhole\n');
    const beneath = 'mount --bind / /mnt && lsattr -d /mnt/boot/efi; umount /mnt';
    assert.match(await a.shell(beneath), /^[-e]+ /, 'the folder beneath takes files again');
    const asked = ['pre-move a b', 'post-fail a b'];
    for (const way of ['a b', 'b a'])
      asked.push(`pre-move ${way}`, `pre-freeze ${way}`, `post-arrive ${way}`);
    await waitFor(
      'the programs to be told of all that',
      async () => ((await a.shell('cat /root/asked')).trim() === asked.join('\n') ? true : undefined),
      { timeoutMs: 60_000 },
    );
  },
);

story('B forgets the OS: it is refused by name, and goes on where it is', async () => {
  await standbyReady(b);
  await b.shell('yado unpair crab', { timeoutMs: 60_000 });
  const tried = await a.exec('yado migrate b', { timeoutMs: 120_000 });
  assert.equal(tried.code, 4, tried.output);
  assert.match(tried.output, /b does not know the key of this OS/);
  assert.equal(await bootIdOf(a), bootId);
  noKernelComplaint([a, b]);
});
