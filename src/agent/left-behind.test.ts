// A standby that serves the devices of an OS: to whom, in which epoch, and who is turned away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { YadoError } from '#core/errors.ts';
import { DevicesLeft } from './left-behind.ts';

const place = { pciAddress: '0000:00:06.0', unit: 0 };
const left = new DevicesLeft(
  { osId: 'crab', epoch: 7, behind: [{ kind: 'disk', device: 'disk0', place }] },
  { name: 'a', address: '10.77.0.1' },
);
const code = (expected: string) => (error: unknown) => error instanceof YadoError && error.code === expected;

const asked = { osId: 'crab', device: 'disk0', epoch: 7 };

test('a device is to be had in the epoch in which it was left, once it is served', () => {
  assert.deepEqual(left.answer(asked), { ready: false, exportName: 'crab-disk0-7', port: 10809 });
  assert.throws(() => left.answer({ ...asked, epoch: 6 }), code('staleEpoch'));
  assert.throws(() => left.answer({ ...asked, device: 'disk1' }), code('unknownDevice'));
  assert.throws(() => left.answer({ ...asked, osId: 'lobster' }), code('unknownDevice'));
});

test('once the OS has asked in a newer epoch, older ones are turned away', () => {
  assert.equal(left.answer({ ...asked, epoch: 9 }).exportName, 'crab-disk0-9');
  assert.throws(() => left.answer({ ...asked, epoch: 8 }), code('staleEpoch'));
  assert.equal(left.state.epoch, 9);
});

test('once the next one has been told, no epoch is raised any more', async () => {
  await left.handOver();
  assert.throws(() => left.answer({ ...asked, epoch: 10 }), code('busy'));
  await assert.rejects(
    left.print({ ...asked, epoch: 10, first: 0, data: new Uint8Array(), delivered: 0, hold: false }),
    code('busy'),
  );
  assert.equal(left.state.epoch, 9);
  left.servePrinters(); // it stays after all
  assert.equal(left.answer({ ...asked, epoch: 10 }).exportName, 'crab-disk0-10');
});

test('a printer that is not plugged in is told with its computer; the OS keeps the bytes', async () => {
  const place = { kind: 'usb', name: 'lp9', identity: 'none such' } as const;
  const printing = new DevicesLeft(
    { osId: 'crab', epoch: 7, behind: [{ kind: 'printer', device: 'printer0', place }] },
    { name: 'a', address: '10.77.0.1' },
  );
  printing.servePrinters();
  const piece = { ...asked, device: 'printer0', first: 0, data: new Uint8Array(), delivered: 0, hold: false };
  await assert.rejects(printing.print(piece), {
    code: 'deviceAway',
    message: 'printer0 at a does not work: the printer lp9 is not plugged in.',
  });
  await assert.rejects(printing.print({ ...piece, epoch: 6 }), {
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

test('who serves nothing takes in anyone', () => {
  new DevicesLeft({ osId: 'crab', epoch: 7, behind: [] }, { name: 'b', address: '10.77.0.2' }).refuseAnother(
    'x',
  );
});
