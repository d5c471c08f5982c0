// A standby that serves the devices of an OS: to whom, in which epoch, and who is turned away.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import * as v from 'valibot';
import { YadoError } from '#core/errors.ts';
import type { ServeState } from '#devices/device.ts';
import { encodeMark } from '#devices/disk/left-mark.ts';
import { LeftDisk } from '#devices/disk/service.ts';
import type { LeftWorld } from '#devices/service.ts';
import { loadServices } from '#managers/service-list.ts';
import type { ControlAnswer } from '#wire/control.ts';
import { encodeMarkText, leftBehindSchema, type Mark, markSchema } from './ghost-state.ts';
import { DevicesLeft, foundAt, isThatDisk, newestOf } from './left-behind.ts';

mock.method(console, 'log', () => {});

const services = await loadServices();

const disk = {
  kind: 'disk',
  device: 'disk0',
  place: { pciAddress: '0000:00:06.0', identity: '0123456789abcdef' },
};
const port = { kind: 'usb', name: 'lp9', identity: 'MFG:No;MDL:Such;' };
const printer = { kind: 'printer', device: 'printer0', place: port, printed: 40 };
const computer = { name: 'a', address: '10.77.0.1' };
const leftBy = (...behind: object[]): DevicesLeft =>
  new DevicesLeft(
    v.parse(leftBehindSchema(services), { osId: 'crab', epoch: 7, behind }),
    computer,
    'aes128gcm',
    services,
  );
const left = leftBy(disk);
const code = (expected: string) => (error: unknown) => error instanceof YadoError && error.code === expected;

const asked = { osId: 'crab', device: 'disk0', epoch: 7 };

test('a device is to be had in the epoch in which it was left, once it is served', () => {
  const { secret, ...where } = left.answer('device', asked) as ControlAnswer<'device'>;
  assert.equal(secret.length, 32);
  assert.deepEqual(where, { ready: false, exportName: 'crab-disk0-7', port: 10809, cipher: 'aes128gcm' });
  assert.throws(() => left.answer('device', { ...asked, epoch: 6 }), code('staleEpoch'));
  assert.throws(() => left.answer('device', { ...asked, device: 'disk1' }), code('unknownDevice'));
  assert.throws(() => left.answer('device', { ...asked, osId: 'lobster' }), code('unknownDevice'));
});

test('the mark tells all that is left, where to, and with which key its copy is granted; it fits on a disk', async () => {
  const written: string[] = [];
  const marked = leftBy(disk, printer);
  mock.method(LeftDisk.prototype, 'mark', async (text: string) => void written.push(text));
  const key = new Uint8Array(32).fill(7);
  const move = { epoch: 7, to: { name: 'b', address: '10.77.0.2' }, key };
  await marked.markLeaving({ nic: '52:54:00:05:01:01', move });
  assert.equal(written.length, 1);
  const [text = ''] = written;
  assert.ok(encodeMark(text), `${text.length} bytes`);
  const mark = v.parse(markSchema(services), JSON.parse(text));
  assert.deepEqual(mark, {
    osId: 'crab',
    epoch: 7,
    behind: [disk, printer],
    state: 'leaving',
    computer,
    nic: '52:54:00:05:01:01',
    move,
  });
});

test('once the OS has asked in a newer epoch, older ones are turned away', async () => {
  assert.equal((await left.answer('device', { ...asked, epoch: 9 })).exportName, 'crab-disk0-9');
  assert.throws(() => left.answer('device', { ...asked, epoch: 8 }), code('staleEpoch'));
  assert.equal(left.state.epoch, 9);
});

test('once the next one has been told, no epoch is raised any more', async () => {
  await left.handOver();
  assert.throws(() => left.answer('device', { ...asked, epoch: 10 }), code('busy'));
  const nothing = { first: 0, data: new Uint8Array(), delivered: 0, hold: false };
  assert.throws(() => left.answer('print', { ...asked, epoch: 10, ...nothing }), code('busy'));
  assert.equal(left.state.epoch, 9);
  left.goOn(); // it stays after all
  assert.equal((await left.answer('device', { ...asked, epoch: 10 })).exportName, 'crab-disk0-10');
});

test('a printer that is not plugged in is told with its computer; the OS keeps the bytes', async () => {
  const printing = leftBy(printer);
  await printing.serve();
  const nothing = { first: 40, data: new Uint8Array(), delivered: 40, hold: false };
  const request = { ...asked, device: 'printer0', ...nothing };
  await assert.rejects(async () => printing.answer('print', request), {
    code: 'deviceAway',
    message: 'printer0 at a does not work: the printer lp9 is not plugged in.',
  });
  assert.throws(() => printing.answer('print', { ...request, epoch: 6 }), {
    code: 'staleEpoch',
    message: 'a has printer0 in epoch 7 of the OS; what came is of epoch 6, from an older copy of it.',
  });
  await printing.stop();
});

test('the OS itself may come home; another one would cost it its disk', () => {
  left.refuseAnother('crab');
  assert.throws(() => left.refuseAnother('lobster'), code('servesAnotherOs'));
  assert.throws(() => left.refuseAnother('lobster'), /a serves disk0 to crab, which would lose it/);
});

test('a disk that the OS has elsewhere is over: it is not handed on, and another OS may come', async () => {
  const disks = leftBy(disk, printer);
  assert.deepEqual(disks.names, ['disk0', 'printer0']);
  const window = { ...asked, start: 0, bytes: 4096 };
  assert.deepEqual(await disks.answer('diskHashes', window), { ready: false, hashes: new Uint8Array() });
  assert.throws(() => disks.answer('diskReleased', { ...asked, epoch: 6 }), code('staleEpoch'));
  assert.throws(() => disks.answer('diskReleased', { ...asked, device: 'printer0' }), code('unknownDevice'));
  assert.deepEqual(await disks.answer('diskReleased', asked), {});
  assert.deepEqual(await disks.answer('diskReleased', asked), {}, 'the answer may have been lost');
  assert.deepEqual(disks.names, ['printer0']);
  assert.deepEqual(
    disks.state.behind.map(each => each.device),
    ['printer0'],
  );
  await disks.serve();
  assert.equal((await disks.answer('device', asked)).ready, false);
  const only = leftBy(disk);
  assert.ok(only.hasDisk);
  await only.answer('diskReleased', asked);
  assert.ok(!only.hasDisk);
  only.refuseAnother('lobster');
  await disks.stop();
});

test('an OS that has ended is started where its disk says, once its mark is gone', async () => {
  assert.ok(leftBy(disk).startsFromHere);
  assert.ok(!leftBy(printer).startsFromHere);
  const starts = { name: 'c', address: '10.77.0.3' };
  assert.ok(!leftBy({ ...disk, starts }).startsFromHere);
  const both = leftBy(printer, disk);
  assert.throws(() => both.refuseOlder(6), code('staleEpoch'));
  both.refuseOlder(7);
  await both.stop();
  assert.throws(() => both.unmark(), /no disk at 0000:00:06.0/);
});

test('an OS that has ended is served no more, and another one may come', async () => {
  const both = leftBy(printer, disk);
  assert.throws(() => both.refuseAnother('lobster'), code('servesAnotherOs'));
  await both.end();
  await both.serve();
  both.refuseAnother('lobster');
  assert.deepEqual(
    [both.names, both.state.behind, both.startsFromHere, both.has('disk0')],
    [[], [], false, false],
  );
  assert.throws(
    () => both.answer('device', { osId: 'crab', device: 'disk0', epoch: 9 }),
    code('unknownDevice'),
  );
});

test('who serves nothing takes in anyone', () => {
  leftBy().refuseAnother('x');
});

test('a printer is told how far it was, asks for drivers as a disk does, and prints for nobody before the grant', async () => {
  const both = leftBy(disk, printer);
  const nothing = { first: 40, data: new Uint8Array(), delivered: 40, hold: false };
  const print = { ...asked, device: 'printer0', ...nothing };
  assert.deepEqual(
    [both.names, both.driversNeeded],
    [
      ['disk0', 'printer0'],
      ['disk', 'printer'],
    ],
  );
  await assert.rejects(async () => both.answer('print', print), code('unknownDevice'));
  assert.throws(() => both.answer('device', { ...asked, device: 'printer0' }), code('unknownDevice'));
  assert.throws(() => both.answer('print', { ...print, device: 'disk0' }), code('unknownDevice'));
  both.goOn();
  await assert.rejects(async () => both.answer('print', print), /lp9|printer/);
  await both.handOver();
  assert.deepEqual(both.state.behind, [disk, printer]);
});

test('what is left is written as ever: marks on disks outlive the agent that wrote them', () => {
  assert.equal(
    JSON.stringify(leftBy(disk, printer).state),
    '{"osId":"crab","epoch":7,"behind":[{"kind":"disk","device":"disk0","place":{"pciAddress":"0000:00:06.0",' +
      '"identity":"0123456789abcdef"}},{"kind":"printer","device":"printer0","place":{"kind":"usb","name":"lp9",' +
      '"identity":"MFG:No;MDL:Such;"},"printed":40}]}',
  );
  const before = { ...disk, place: { pciAddress: '0000:00:06.0', unit: 0 } };
  assert.deepEqual(leftBy(before).names, ['disk0'], 'a mark of an earlier agent');
});

test('what no class knows is not taken for something left', () => {
  for (const odd of [
    { ...disk, kind: 'network' },
    { ...disk, printed: 1 },
    { kind: 'disk', device: 'disk0' },
  ])
    assert.throws(() => leftBy(odd), v.ValiError);
});

test('of several disks an OS has left here the last one counts, also when it has none here any more', () => {
  const marked = (node: string, change: Partial<Mark>, isThatDisk = true) => ({
    ...{ node, isThatDisk },
    mark: { ...leftBy(disk).state, state: 'left', computer, ...change } as Mark,
  });
  const nodeOf = (all: ReturnType<typeof marked>[], osId?: string): string | undefined => {
    const found = newestOf(all, osId);
    return found === 'several' ? found : found?.node;
  };
  const [old, last] = [marked('/dev/vda', {}), marked('/dev/vdb', { epoch: 9 })];
  assert.equal(newestOf([]), undefined);
  assert.equal(nodeOf([old, last]), '/dev/vdb');
  assert.equal(nodeOf([last, old]), '/dev/vdb');
  const released = marked('/dev/vdb', { epoch: 9, behind: [] });
  assert.equal(nodeOf([old, released]), '/dev/vdb', 'the older disk is not served');
  const another = marked('/dev/vdc', { osId: 'lobster', epoch: 3 });
  assert.equal(nodeOf([old, released, another]), '/dev/vdc');
  assert.equal(nodeOf([another, old, last], last.mark.osId), '/dev/vdb', 'asked for one OS');
  assert.equal(newestOf([another], last.mark.osId), undefined);
  // Somebody has copied the disk while the OS was away, with its mark.
  const copy = marked('/dev/vdd', { epoch: 9 }, false);
  assert.equal(nodeOf([copy, last]), '/dev/vdb', 'the copy has an older state');
  assert.equal(nodeOf([copy, old]), '/dev/vdd', 'the disk itself is not here');
  assert.equal(nodeOf([copy, { ...copy, node: '/dev/vde' }]), 'several');
  assert.equal(nodeOf([last, { ...last, node: '/dev/vde' }]), '/dev/vdb', 'one disk, reached on two ways');
  const releasedCopy = { ...released, isThatDisk: false };
  assert.equal(
    nodeOf([releasedCopy, { ...releasedCopy, node: '/dev/vde' }]),
    '/dev/vdb',
    'nothing is served',
  );
});

test('a disk is the one its mark was written on by what it says of itself, wherever it is plugged in', () => {
  const place = { pciAddress: '0000:00:06.0', identity: 'i1', partition: 2 };
  const mark = { ...leftBy({ ...disk, place }).state, state: 'left', computer } as Mark;
  assert.ok(isThatDisk(mark, { ...place, pciAddress: '0000:07:00.0' }));
  assert.ok(!isThatDisk(mark, { ...place, identity: 'i2' }));
  assert.ok(!isThatDisk(mark, { ...place, partition: 3 }));
  const { identity: _, ...silent } = place;
  const ofSilent = { ...leftBy({ ...disk, place: silent }).state, state: 'left', computer } as Mark;
  assert.ok(isThatDisk(ofSilent, silent));
  assert.ok(!isThatDisk(ofSilent, { ...silent, pciAddress: '0000:07:00.0' }));
});

test('a disk that was plugged in elsewhere is served from where its mark was found', () => {
  const mark: Mark = { ...leftBy(disk, printer).state, state: 'left', computer };
  const place = { pciAddress: '0000:07:00.0', identity: '0123456789abcdef' };
  const { behind } = foundAt(mark, place);
  assert.deepEqual(leftBy(...behind).state.behind, [{ ...disk, place }, printer]);
  assert.deepEqual(foundAt(mark, undefined), mark);
});

test('only a disk with the mark of its OS is served', async () => {
  const world = mock.method(services.disk!.left!, 'serviceOf');
  leftBy(disk);
  const given = world.mock.calls[0]?.arguments[1];
  assert.ok(given);
  const text = (osId: string) => encodeMarkText({ osId, epoch: 6, behind: [], state: 'leaving', computer });
  assert.match(given.record(text('crab')), /"state":"left"/);
  for (const odd of [undefined, text('lobster'), '{"osId":"crab","copyOf":"b"}'])
    assert.throws(
      () => given.record(odd),
      /^Error: the disk that was found here does not bear the mark of crab$/,
    );
});

test('a mark that another computer has written since is left alone', () => {
  let record: LeftWorld['record'] | undefined;
  const { left } = services.disk ?? {};
  assert.ok(left);
  const watched = {
    ...services,
    disk: {
      left: {
        ...left,
        serviceOf: (state: ServeState, world: LeftWorld) => {
          record = world.record;
          return left.serviceOf(state, world);
        },
      },
    },
  };
  const { state } = leftBy(disk);
  new DevicesLeft(state, computer, 'aes128gcm', watched);
  const mark = { ...state, state: 'leaving', computer } as Mark;
  const written = (change: Partial<Mark>): string => record?.(encodeMarkText({ ...mark, ...change })) ?? '';
  assert.equal(JSON.parse(written({ starts: computer })).starts.name, computer.name);
  assert.throws(() => written({ osId: 'lobster' }), /does not bear the mark of crab/);
  assert.throws(() => written({ usedBy: 'b' }), /b uses it by itself/);
  assert.throws(() => written({ computer: { ...computer, name: 'b' } }), /has left it at b since/);
  assert.throws(() => written({ epoch: state.epoch + 1 }), /has left it at a since/);
});
