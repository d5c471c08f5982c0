// Xorg with its stock fbdev driver and an application with a changing picture move to another graphics card. The root file system
// of this OS is a volume of LVM, with the parameters and the fstab of before the package: it may move as long as the volume is
// linear.
import assert from 'node:assert/strict';
import type { Doctor } from '#core/api.ts';
import type { Computer } from '#lab/computer.ts';
import { os } from '#lab/os-recipe.ts';
import { waitFor } from '#lab/time.ts';
import { bootStory } from './boot-story.ts';
import { bootIdOf, json, noKernelComplaint, showsStub } from './stories.ts';

const packages = [
  'xserver-xorg-core',
  'xserver-xorg-video-fbdev',
  'xserver-xorg-input-libinput',
  'x11-apps',
  'fbset',
];
/** Of docs/display.md. */
const screenOfX = `Section "Device"
  Identifier "stub"
  Driver "fbdev"
  BusID "ISA"
  Option "fbdev" "/dev/fb0"
EndSection
`;

const { a, b, bootId, story } = await bootStory('x', { include: packages, layout: 'lvm' });
/** The clock of the application: what it shows changes every second. */
async function changes(computer: Computer): Promise<void> {
  const first = Buffer.from((await computer.pixels()).rgb);
  await waitFor(
    `the picture of ${computer.name} to change`,
    async () => (first.equals((await computer.pixels()).rgb) ? undefined : true),
    { timeoutMs: 60_000 },
  );
}

/** The application holds still meanwhile, for the table and the screen are read one after the other. */
async function showsStubOfX(computer: Computer): Promise<void> {
  await computer.shell('systemctl kill --signal=STOP lab-clock');
  await showsStub(computer, computer);
  await computer.shell('systemctl kill --signal=CONT lab-clock');
  await changes(computer);
}

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

story('a mode that the stub cannot hold is refused, and the picture stays', async () => {
  for (const mode of ['1920 1200 1920 1200 32', '1280 1024 1280 9000 16', '60000 60000 60000 60000 32']) {
    const { code, output } = await a.exec(`fbset -fb /dev/fb0 -g ${mode}`);
    assert.notEqual(code, 0, mode);
    assert.match(output, /Cannot allocate memory/, mode);
  }
  await showsStub(a, a);
});

story('Xorg draws on the stub with its own fbdev driver', async () => {
  await a.put(Buffer.from(screenOfX), '/etc/X11/xorg.conf');
  const unit = 'systemd-run --quiet --collect';
  await a.shell(`${unit} --unit=lab-x Xorg :0 vt7 -nolisten tcp -noreset`);
  await waitFor(
    'Xorg',
    async () => ((await a.exec('[ -S /tmp/.X11-unix/X0 ]')).code === 0 ? true : undefined),
    { timeoutMs: 120_000 },
  );
  await a.shell(
    `${unit} --unit=lab-clock --setenv=DISPLAY=:0 xclock -digital -update 1 -geometry 700x300+200+300`,
  );
  await changes(a);
  await showsStubOfX(a);
});

story('it moves to B, with another card: the clock goes on there, pixel for pixel', async () => {
  const moved = await a.exec('yado migrate b', { timeoutMs: 400_000 });
  assert.equal(moved.code, 0, moved.output);
  assert.equal(await bootIdOf(b), bootId);
  for (const unit of ['lab-x', 'lab-clock'])
    assert.equal((await b.exec(`systemctl is-active ${unit}`)).output.trim(), 'active');
  await changes(b);
  await showsStubOfX(b);
  noKernelComplaint([a, b]);
});
