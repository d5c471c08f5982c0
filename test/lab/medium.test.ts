// The standby medium that the package makes: an emulated computer without any disk starts from it, by BIOS from a CD, by
// UEFI from a USB stick and by BIOS from the network (PXE), and waits for an OS. From a medium with keys it knows its own and
// whose it is. It has no network but a card, and what QEMU itself serves to one that starts from the network.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Pairs, Status } from '#core/api.ts';
import { computerKeys } from '#lab/pairing.ts';
import { endChild, run, spawnTied } from '#lab/process.ts';
import { product } from '#lab/product.ts';
import { hasHardwareAcceleration } from '#lab/qemu.ts';
import { Monitor } from '#lab/qmp.ts';
import { scenarioNamed } from '#lab/scenarios.ts';
import { scaled, waitFor } from '#lab/time.ts';
import { keysArchive } from '#linux/cpio.ts';
import { kernelParameters } from '../../src/cli/standby-medium.ts';
import { evidenceFolder } from './stories.ts';

const evidence = evidenceFolder('medium');
const spec = scenarioNamed('paper').computers.find(each => each.name === 'b')!;
let folder = '';

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'yado-medium-'));
  const { deb } = product(text => console.log(`# ${text}`));
  await run(['dpkg-deb', '-x', deb, join(folder, 'package')]);
  const keys = computerKeys(spec);
  assert.ok(keys);
  const media = { 'b.iso': ['iso', keysArchive(keys)], tftp: ['pxe', Buffer.alloc(0)] } as const;
  const parameters = kernelParameters('memmap=192M!256M', spec.name, spec.address, { nic: spec.mac });
  const medium = join(folder, 'package/usr/lib/yadokari/medium');
  for (const [name, [kind, input]] of Object.entries(media))
    await run(
      [medium, kind, join(folder, name), spec.name, `${parameters} console=ttyS0 yado.console=ttyS1`],
      { input },
    );
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Types a command at the serial line until the answer is what is wanted. */
async function answer<T>(line: Socket, command: string, wanted: (value: T) => boolean): Promise<T> {
  let heard = '';
  const listen = (bytes: Buffer): void => {
    heard += bytes.toString('latin1');
  };
  line.on('data', listen);
  try {
    return await waitFor(
      `an answer to ${command}`,
      async () => {
        heard = '';
        line.write(`\n${command} && echo =end=\n`);
        const text = await waitFor(
          'the end of the answer',
          () => /(\{[\s\S]*\})\s*=end=/.exec(heard.replaceAll('\r', ''))?.[1],
          { timeoutMs: scaled(20_000) },
        ).catch(() => '{}');
        try {
          const value = JSON.parse(text) as T;
          return wanted(value) ? value : undefined;
        } catch {
          return undefined;
        }
      },
      { timeoutMs: scaled(240_000), everyMs: 2000 },
    );
  } finally {
    line.off('data', listen);
  }
}

interface Way {
  /** With the folder of the media in place of FOLDER. */
  readonly options: readonly string[];
  readonly owners: readonly string[];
}

const card = `virtio-net-pci,netdev=net,mac=${spec.mac}`;
const withoutNetwork = ['-netdev', 'hubport,hubid=0,id=net', '-device', `${card},romfile=`];
const ways: Readonly<Record<string, Way>> = {
  'BIOS from a CD': {
    options: [
      ...withoutNetwork,
      ...['-drive', 'if=none,id=medium,file=FOLDER/b.iso,media=cdrom,readonly=on'],
      ...['-device', 'ide-cd,drive=medium'],
    ],
    owners: ['crab'],
  },
  'UEFI from a USB stick': {
    options: [
      ...withoutNetwork,
      ...['-bios', '/usr/share/ovmf/OVMF.fd'],
      ...['-drive', 'if=none,id=medium,file=FOLDER/b.iso,format=raw,readonly=on'],
      ...['-device', 'qemu-xhci', '-device', 'usb-storage,drive=medium'],
    ],
    owners: ['crab'],
  },
  'PXE, from the network': {
    options: [
      ...['-netdev', 'user,id=net,restrict=on,tftp=FOLDER/tftp,bootfile=/boot/grub/i386-pc/core.0'],
      ...['-device', `${card},bootindex=1`],
    ],
    owners: [], // what everybody can read holds no keys
  },
};

for (const [way, { options, owners }] of Object.entries(ways)) {
  test(`a computer starts from the medium: ${way}`, async () => {
    const name = way.split(/\W/)[0]!;
    const [serial, tty, qmp] = ['serial.log', 'tty', 'qmp'].map(each => join(folder, `${name}.${each}`));
    const qemu = spawnTied(
      [
        'qemu-system-x86_64',
        ...['-machine', 'pc', '-accel', hasHardwareAcceleration() ? 'kvm' : 'tcg', '-cpu', 'max'],
        ...['-m', String(spec.ramMiB), '-nodefaults', '-display', 'none', '-vga', 'std'],
        ...['-serial', `file:${serial}`, '-serial', `unix:${tty},server=on,wait=off`],
        ...['-qmp', `unix:${qmp},server=on,wait=off`],
        ...options.map(each => each.replace('FOLDER', folder)),
      ],
      { stdio: 'ignore' },
    );
    try {
      const monitor = await Monitor.open(qmp!);
      await waitFor(
        'the standby to start',
        () => /Yadokari standby b is starting/.exec(readFileSync(serial!, 'latin1')) ?? undefined,
        {
          timeoutMs: scaled(300_000),
        },
      );
      const line = connect(tty!);
      const status = await answer<Status>(line, 'yado status --json', each => each.role !== undefined);
      assert.deepEqual(
        [status.role, status.computer.name, status.computer.address],
        ['standby', 'b', '10.77.0.2'],
      );
      const pairs = await answer<Pairs>(line, 'yado pairs --json', each => each.computer !== undefined);
      assert.deepEqual(
        pairs.computer.owners.map(each => each.name),
        owners,
      );
      line.destroy();
      await monitor.execute('screendump', { filename: join(evidence, `${name}.png`), format: 'png' });
      monitor.close();
    } finally {
      writeFileSync(join(evidence, `${name}.serial.log`), readFileSync(serial!));
      await endChild(qemu);
    }
  });
}
