// What a target is asked of its disks before a move, and what the disk is told behind it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiskLook, FoundDisk } from '#core/disk-wish.ts';
import type { Storage } from '#devices/device.ts';
import { release } from '#devices/disk/reach.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { type ControlRequest, controlPort } from '#wire/control.ts';
import { ControlServer } from './control-server.ts';
import { type DiskRequest, destinyOf, planDisk, type StorageAt } from './disk-plan.ts';
import type { MoveRequest } from './source-move.ts';

const place = { pciAddress: '0000:00:07.0', unit: 0 };
const found: FoundDisk = {
  ...{
    place,
    name: 'virtio-spare',
    sizeBytes: 1 << 30,
    isReadOnly: false,
    sectorBytes: 512,
    use: null,
    holds: null,
    markOf: null,
    fileSystem: null,
  },
};
const storage: Storage = {
  sizeBytes: 1 << 30,
  isContainer: false,
  isVolume: false,
  isShared: false,
  name: 'virtio-root',
  sameness: 'i1 ',
  fileSystem: async () => 'f5',
  placeAt: computer => (computer === 'b' ? place : undefined),
};
const mine = (at: string, change: Partial<Storage>): StorageAt => ({
  ...{ device: 'disk0', at },
  storage: { ...storage, ...change },
});

async function asked(
  address: string,
  disk: DiskRequest | undefined,
  at = 'a',
  change: Partial<Storage> = {},
  there: DiskLook['found'] = found,
) {
  const heard: ControlRequest<'diskLook'>[] = [];
  const look: DiskLook = { found: there, matches: there ? 1 : 0, names: ['virtio-spare'] };
  const server = new ControlServer(
    () => 'b',
    {
      diskLook: request => {
        heard.push(request);
        return look;
      },
    },
    fakeComputer,
  );
  await server.listen(address, controlPort);
  const request = {
    ...{ osId: 'crab', epoch: 8, keys: fakeOs, here: { name: 'a', address: '127.0.0.1' } },
    ...{ target: { name: 'b', address }, acceptRisks: ['disk-not-empty'], disk },
    signal: new AbortController().signal,
  } as unknown as MoveRequest;
  try {
    return { plan: await planDisk(request, mine(at, change)), heard, request };
  } finally {
    await server.close();
  }
}
const wish = (change: Partial<DiskRequest>): DiskRequest => ({
  ...{ wish: { mode: 'follow' }, inSettings: undefined },
  ...change,
});

test('a disk that stays, or is there already, needs no question', async () => {
  for (const disk of [undefined, wish({ wish: { mode: 'remote' } })])
    assert.equal((await asked('127.60.0.5', disk)).plan, undefined);
  const there = await asked('127.60.0.5', wish({}), 'b');
  assert.deepEqual([there.plan, there.heard], [undefined, []]);
});

test('the disk that was typed counts, then that of the settings, then the one the OS had there', async () => {
  const typed = wish({ wish: { mode: 'follow', disk: 'virtio-spare' }, inSettings: 'other' });
  assert.deepEqual((await asked('127.60.0.6', typed)).heard, [{ osId: 'crab', disk: 'virtio-spare', place }]);
  assert.deepEqual((await asked('127.60.0.6', wish({ inSettings: 'other' }))).heard[0]?.disk, 'other');
  const { heard, plan, request } = await asked('127.60.0.6', wish({}));
  assert.deepEqual(heard, [{ osId: 'crab', place }]);
  assert.equal(plan?.asked, undefined);
  assert.deepEqual(destinyOf(plan, request), {
    ...{ mode: 'follow', computer: 'b', name: 'virtio-spare', place, mayOverwrite: true },
  });
});

test('a disk that both reach is looked for by its own name; one that was reached so before, without a word', async () => {
  const wanted = wish({ wish: { mode: 'shared' }, inSettings: 'other' });
  const { heard, plan, request } = await asked('127.60.0.7', wanted);
  assert.equal(heard[0]?.disk, 'virtio-root');
  assert.deepEqual([plan?.mode, plan?.identity, plan?.lacks], ['shared', 'i1 ', undefined]);
  assert.equal(destinyOf(plan, request)?.mode, 'shared');
  const again = await asked('127.60.0.7', undefined, 'a', { isShared: true });
  assert.equal(again.plan?.mode, 'shared');
  const away = await asked('127.60.0.7', undefined, 'a', { isShared: true }, null);
  assert.equal(away.plan, undefined, 'not reached from there: it is used over the network');
  const stays = await asked('127.60.0.7', wish({ wish: { mode: 'remote' } }), 'a', { isShared: true });
  assert.equal(stays.plan, undefined);
});

test('in a container or a volume it is not used from both', async () => {
  for (const change of [{ isContainer: true }, { isVolume: true }])
    await assert.rejects(asked('127.60.0.8', wish({ wish: { mode: 'shared' } }), 'a', change), {
      code: 'diskNotShared',
    });
});

test('a computer that had the disk is told until it answers; one that knows of none any more is left alone', async () => {
  const address = '127.60.0.9';
  const peer = { name: 'a', ip: address, port: controlPort, localIp: '127.0.0.1', keys: fakeOs };
  const there = { peer, osId: 'crab', device: 'disk0', epoch: 8 };
  const said: string[] = [];
  const released = release(there, AbortSignal.timeout(20_000), text => said.push(text)); // it is away yet
  const server = new ControlServer(() => 'a', {}, fakeComputer);
  await server.listen(address, controlPort);
  try {
    await released;
    assert.equal(said.length, 1, said.join());
    assert.match(said[0] ?? '', /^disk0: .*diskReleased/);
  } finally {
    await server.close();
  }
});
