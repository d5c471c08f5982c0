// What the OS reports of itself, from a directory that looks like /proc and /sys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { alpha } from '#core/fixture-computers.ts';
import { OsStateSchema, osStateLimits } from '#core/os-state.ts';
import { inspectAlone } from '#core/preflight.ts';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { gatherOsState } from './os-state.ts';

const device = (id: string, name: 'disk' | 'network'): DeviceStatusRow => ({
  device: id,
  class: name,
  osType: 'x',
  actualType: 'x',
  way: 'direct',
  items: [],
});

test('what is in use and what is in the way', async () => {
  using tree = new FixtureTree({
    'sys/class/net/os0/brif/eth0/port_no': '0x1\n',
    'sys/class/net/os0/brif/tap0/port_no': '0x2\n',
    'sys/class/net/eth0/device/vendor': '0x1af4\n',
    'sys/class/net/tap0/address': '02:00:00:00:00:09\n',
    'proc/cmdline': 'quiet acpi=copy_dsdt root=/dev/mapper/yado-root\n',
    'proc/1/mounts':
      '/dev/mapper/yado-root / ext4 rw 0 0\n/dev/sdb1 /home ext4 rw 0 0\n/dev/sdc1 /left ext4 rw 0 0\n',
    'proc/1/mountinfo': '31 1 8:33 / /left rw - ext4 /dev/sdc1 rw\n',
    'proc/meminfo': 'MemTotal: 900 kB\nActive(anon): 300 kB\nInactive(anon): 200 kB\n',
    'proc/self/status': 'VmRSS: 90 kB\nRssAnon: 40 kB\n',
    'proc/swaps': 'Filename Type Size Used Priority\n/dev/vda2 partition 100 8 -2\n',
    'proc/812/stat': '812 (dd) D 1 812 812 0 -1 4194304 1\n',
    'proc/812/task/812/stat': '812 (dd) D 1 812 812 0 -1 4194304 1\n',
    'proc/900/comm': 'pipewire\n',
    'proc/900/fd/3': { link: 'dev/snd/controlC0' },
    'proc/901/comm': 'qemu\n',
    'proc/901/fd/4': { link: 'dev/sdb2' },
    'proc/901/fd/5': { link: 'anon_inode:kvm-vm' },
    'sys/class/block/sdb2/size': '8\n',
    'sys/devices/pci0000:00/0000:00:1b.0/sound/card0/controlC0/dev': '116:2\n',
    'sys/class/sound/controlC0': { link: 'sys/devices/pci0000:00/0000:00:1b.0/sound/card0/controlC0' },
    'sys/class/watchdog/watchdog0/identity': 'iTCO_wdt\n',
    'sys/class/watchdog/watchdog0/state': 'active\n',
  });
  const state = await gatherOsState('a', [device('disk0', 'disk'), device('disk1', 'disk')], tree.root);
  assert.deepEqual(
    { ...state, lacks: [] },
    {
      home: 'a',
      classes: ['disk'],
      ports: [
        { name: 'eth0', isCard: true },
        { name: 'tap0', isCard: false },
      ],
      lacks: [],
      swaps: [{ path: '/dev/vda2', kind: 'disk', usedBytes: 8192 }],
      swapping: {
        freeBytes: 0,
        fileBytes: 0,
        noFile: '/var/lib/yadokari cannot be looked at',
        swappableBytes: 460 * 1024,
        obstacle: 'the agent has no memory of its own (memmap=), and must not be swapped out with the rest',
      },
      mounts: [{ device: '/dev/sdb1', path: '/home' }],
      unmarkable: null,
      rootTrouble: null,
      undriven: [],
      waitingTasks: ['dd (pid 812)'],
      fuseRequests: 0,
      heldCards: [
        {
          pciAddress: '0000:00:1b.0',
          bridges: [],
          device: '/dev/snd/controlC0',
          programs: ['pipewire (pid 900)'],
        },
      ],
      heldDisks: [{ device: '/dev/sdb2', programs: ['qemu (pid 901)'] }],
      virtualMachines: ['qemu (pid 901)'],
      watchdogs: ['iTCO_wdt'],
      usbipDevices: 0,
      zfs: [],
      wireguard: [],
      networkRivals: [],
      crashKernelBytes: 0,
      hasCopiedDsdt: true,
    },
  );
});

test('without the bridge os0 that is what is said, and nothing of a card that does not work', async () => {
  using tree = new FixtureTree({
    'proc/cmdline': '',
    'sys/class/net/eth0/device/vendor': '0x1af4\n',
    'sys/class/net/br0/brif/eth0/port_no': '0x1\n',
  });
  // The class is there all the same: the network is a device of every OS.
  const os = await gatherOsState('a', [device('network0', 'network'), device('disk0', 'disk')], tree.root);
  const found = inspectAlone({ ...alpha, nic: null, os }).checks.filter(
    ({ id, ok }) => !ok && /^n(ic|et)/.test(id),
  );
  assert.deepEqual(
    found.map(each => each.id),
    ['network-bridge'],
  );
});

test('more of anything than fits is cut, never refused', async () => {
  const long = 'x'.repeat(200);
  const mounts = Array.from({ length: 400 }, (_, i) => `/dev/sd${long}${i} /${long}/${long} ext4 rw 0 0`);
  const tasks: Tree = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => i + 100).flatMap(pid => {
      const text = `${pid} (a) D 1 1 1 0 -1 64 1\n`;
      return [`proc/${pid}/stat`, `proc/${pid}/task/${pid}/stat`].map(path => [path, text] as const);
    }),
  );
  using tree = new FixtureTree({ 'proc/cmdline': '', 'proc/1/mounts': mounts.join('\n'), ...tasks });
  const state = v.parse(OsStateSchema, await gatherOsState('a', [device('network0', 'network')], tree.root));
  assert.equal(state.mounts.length, osStateLimits.mounts);
  assert.equal(state.waitingTasks.length, osStateLimits.tasks);
});
