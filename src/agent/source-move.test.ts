// What is asked of a target before a move, and what a standby is told when it is started from a kernel that came from
// another computer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { alpha, beta, MiB, nic, plainOs } from '#core/fixture-computers.ts';
import type { Device } from '#devices/device.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { StatusManager } from '#managers/status-manager.ts';
import { controlPort } from '#wire/control.ts';
import { ControlServer } from './control-server.ts';
import { planOf, reportOf } from './move-report.ts';
import { checkMove, type MoveRequest, refuseUnfit, wakeTarget } from './source-move.ts';
import { kexecWords } from './standby-words.ts';

test('a kernel that has moved knows the firmware of another computer: none of it is passed on', () => {
  assert.deepEqual(kexecWords(0xf5ae0, false), [
    'acpi_rsdp=0xf5ae0',
    'noefi',
    'initcall_blacklist=sysfb_init',
  ]);
});

test('at home only the place of the ACPI tables is repeated', () => {
  assert.deepEqual(kexecWords(0xf5ae0, true), ['acpi_rsdp=0xf5ae0']);
  assert.deepEqual(kexecWords(null, true), []);
});

/** A computer that is a ghost until it was told to become a standby, and away for a while in between. */
async function ghost(address: string, busyTimes: number) {
  const said: string[] = [];
  let busy = busyTimes;
  let role: 'ghost' | 'standby' = 'ghost';
  const server = new ControlServer(
    () => 'a',
    {
      status: () => ({ name: 'a', role }),
      standby: () => {
        said.push('standby');
        if (busy-- > 0) throw yadoError('busy', { computer: 'a', activity: 'it waits' });
        setTimeout(async () => {
          await server.close();
          role = 'standby';
          await server.listen(address, controlPort);
        }, 20); // the answer goes out first
        return {};
      },
    },
    fakeComputer,
  );
  await server.listen(address, controlPort);
  return { said, server };
}

const moveTo = (address: string): MoveRequest => ({
  id: '1',
  osId: 'crab',
  epoch: 3,
  keys: fakeOs,
  here: { name: 'b', address: '127.0.0.1' },
  startedHere: false,
  target: { name: 'a', address },
  acceptRisks: [],
  preCopy: true,
  signal: AbortSignal.timeout(20_000),
});

test('a ghost that is to take in an OS becomes a standby first, also when it is busy at first', async () => {
  const { said, server } = await ghost('127.0.0.31', 1);
  assert.equal(await wakeTarget(moveTo('127.0.0.31')), true);
  assert.deepEqual(said, ['standby', 'standby']);
  assert.equal(await wakeTarget(moveTo('127.0.0.31')), false);
  assert.equal(said.length, 2, 'a standby is left alone');
  await server.close();
});

test('a computer that the OS has just left may be away on its way to a standby; any other is away', async () => {
  const address = '127.0.0.32';
  await assert.rejects(wakeTarget(moveTo(address)), { family: 'unreachable' });
  const waiting = wakeTarget(moveTo(address), true);
  const { said, server } = await ghost(address, 0);
  assert.equal(await waiting, true);
  assert.deepEqual(said, ['standby']);
  await server.close();
});

/** A network device of the OS that stands at `pciAddress`. */
const network = (pciAddress: string): Device => ({
  id: 'network0',
  describe: () => ({
    device: 'network0',
    class: 'network',
    osType: 'bridge',
    actualType: 'card',
    way: 'direct',
    items: [],
  }),
  pciAddress: () => pciAddress,
  plans: () => ({}),
  leaveBehind: () => undefined,
  restore: async () => {},
});

test('a move is compared with what the target says of itself; what is in the way is named, with the ways', async () => {
  const address = '127.60.0.2';
  const server = new ControlServer(() => 'beta', { describe: () => ({ capabilities: beta }) }, fakeComputer);
  await server.listen(address, controlPort);
  try {
    const request = {
      keys: fakeOs,
      here: { name: 'alpha', address: '127.0.0.1' },
      target: { name: 'beta', address },
      acceptRisks: [],
      signal: new AbortController().signal,
    } as unknown as MoveRequest;
    const manager = new StatusManager([network('0000:00:09.0')]);
    const tables = {
      status: manager.table(() => undefined),
      locations: [{ device: 'network0', computer: 'alpha', epoch: 1 }],
    };
    const pci = alpha.pci.map(each =>
      each.address === nic.address ? { ...each, address: '0000:00:09.0' } : each,
    );
    const swaps = [{ path: '/dev/vda2', kind: 'disk', usedBytes: 0 }] as const;
    const source = { ...alpha, pci, os: { ...plainOs, swaps: [...swaps] } };
    const move = await checkMove(request, manager, async () => source, tables);
    assert.deepEqual(reportOf(move).ways, [
      {
        device: 'network0',
        way: 'direct',
        computer: 'beta',
        reason: 'beta has the same card in another place',
      },
    ]);
    assert.deepEqual(planOf(move), [
      'while frozen: take away the PCI device 0000:00:09.0',
      'while frozen: take away the PCI device 0000:00:04.0',
      'while frozen: take away the PCI device 0000:00:02.0',
    ]);
    assert.throws(() => refuseUnfit(request, move), {
      code: 'preflightRefused',
      message: /swaps to \/dev\/vda2/,
    });
    const swapping = { ...plainOs.swapping, swappableBytes: 700 * MiB };
    const memory = { ...alpha.memory, usedBytes: 800 * MiB };
    const full = { ...source, memory, os: { ...plainOs, swapping } };
    const crowded = await checkMove(request, manager, async () => full, tables);
    assert.ok(crowded.checks.checks.some(each => each.id === 'memory-swap' && !each.ok));
    assert.deepEqual(planOf(crowded).slice(0, 4), [
      'make a swap file of 548 MiB in /var/lib/yadokari',
      'swap out about 476 MiB of memory',
      'while frozen: swap out what the image has no room for',
      'while frozen: take away the PCI device 0000:00:09.0',
    ]);
    const elsewhere = new StatusManager([network('0000:00:02.0')]);
    const other = await checkMove(request, elsewhere, async () => source, tables);
    assert.equal(reportOf(other).ways[0]?.way, 'converted');
  } finally {
    await server.close();
  }
});
