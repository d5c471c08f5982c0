// What may keep an OS from standing still, from a directory that looks like /proc and /sys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FixtureTree } from '#linux/fixture-tree.ts';
import {
  parseTaskStat,
  readArmedWatchdogs,
  readCrashKernelBytes,
  readFuseRequests,
  readUsbipDevices,
  readWaitingTasks,
  readWireguard,
} from '#linux/freeze-obstacles.ts';

const stat = (pid: number, name: string, state: string, flags: number) =>
  `${pid} (${name}) ${state} 1 ${pid} ${pid} 0 -1 ${flags} 120 0 0 0 3 4 0 0 20 0 1 0 5 6 7\n`;

test('threads of programs that wait in the kernel; its own threads are not asked', () => {
  using tree = new FixtureTree({
    'proc/1/stat': stat(1, 'systemd', 'S', 0x400100),
    'proc/1/task/1/stat': stat(1, 'systemd', 'S', 0x400100),
    'proc/30/stat': stat(30, 'jbd2/vda-8', 'D', 0x208040),
    'proc/30/task/30/stat': stat(30, 'jbd2/vda-8', 'D', 0x208040),
    'proc/812/stat': stat(812, 'my (odd) name', 'S', 0x400000),
    'proc/812/task/812/stat': stat(812, 'my (odd) name', 'S', 0x400000),
    'proc/812/task/813/stat': stat(813, 'writer', 'D', 0x400040),
    'proc/900/comm': 'has just ended',
    'proc/self/stat': stat(7, 'no number', 'D', 0),
  });
  assert.deepEqual(readWaitingTasks(tree.root), ['writer (pid 813)']);
});

test('a stat line of any content is read or refused', () => {
  assert.deepEqual(parseTaskStat(stat(5, 'a) D 1', 'S', 64)), { name: 'a) D 1', state: 'S', flags: 64 });
  assert.equal(parseTaskStat(''), undefined);
  fc.assert(fc.property(fc.string(), text => parseTaskStat(text) === undefined || true));
});

test('requests of file systems in user space, in the root of the OS', () => {
  const at = 'proc/1/root/sys/fs/fuse/connections';
  using tree = new FixtureTree({ [`${at}/38/waiting`]: '2\n', [`${at}/41/waiting`]: '0\n' });
  assert.equal(readFuseRequests(tree.root), 2);
});

test('armed watchdogs of the hardware', () => {
  const dog = (name: string, identity: string, state: string) => ({
    [`sys/class/watchdog/${name}/identity`]: `${identity}\n`,
    [`sys/class/watchdog/${name}/state`]: `${state}\n`,
    [`sys/class/watchdog/${name}/timeout`]: '30\n',
  });
  using tree = new FixtureTree({
    ...dog('watchdog0', 'iTCO_wdt', 'active'),
    ...dog('watchdog1', 'SP5100 TCO timer', 'inactive'),
    ...dog('watchdog2', 'Software Watchdog', 'active'),
  });
  assert.deepEqual(readArmedWatchdogs(tree.root), ['iTCO_wdt, 30 s']);
});

test('USB devices of other computers, WireGuard, a crash kernel', () => {
  using tree = new FixtureTree({
    'sys/devices/platform/vhci_hcd.0/status': `hub port sta spd dev      sockfd local_busid
hs  0000 004 000 00000000 000000 0-0
hs  0001 006 003 00010002 000003 1-1
ss  0008 006 005 00010003 000004 1-2
`,
    'sys/devices/platform/vhci_hcd.0/status.1': 'hub port sta spd dev      sockfd local_busid\n',
    'sys/class/net/wg0/uevent': 'DEVTYPE=wireguard\nINTERFACE=wg0\n',
    'sys/class/net/os0/uevent': 'DEVTYPE=bridge\nINTERFACE=os0\n',
    'sys/kernel/kexec_crash_size': '268435456\n',
  });
  assert.equal(readUsbipDevices(tree.root), 2);
  assert.deepEqual(readWireguard(tree.root), ['wg0']);
  assert.equal(readCrashKernelBytes(tree.root), 268_435_456);
});

test('where nothing is, nothing is in the way', () => {
  using tree = new FixtureTree({ 'proc/cmdline': '' });
  const { root } = tree;
  assert.deepEqual([readWaitingTasks(root), readArmedWatchdogs(root), readWireguard(root)], [[], [], []]);
  assert.deepEqual([readFuseRequests(root), readUsbipDevices(root), readCrashKernelBytes(root)], [0, 0, 0]);
});
