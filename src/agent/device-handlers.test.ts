// Who answers a message about a device: what was left here, what is lent from here, or nobody.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceMessage } from '#devices/service.ts';
import { loadServices } from '#managers/service-list.ts';
import { deviceHandlers } from './device-handlers.ts';
import { DevicesLeft } from './left-behind.ts';
import { LentDevices } from './lent-devices.ts';

/** One that says its name, and has one device. */
const answerer = (name: string, device: string, ...messages: DeviceMessage[]) => ({
  messages: new Set(messages),
  has: (asked: string) => asked === device,
  answer: (type: DeviceMessage, request: { device: string }) => `${name}: ${type} ${request.device}`,
});
const left = answerer('left', 'printer0', 'device', 'print') as unknown as DevicesLeft;
const lent = answerer('lent', 'display0', 'print', 'draw') as unknown as LentDevices;

test('what was left comes first, what is lent next; only the OS that left something is heard', async () => {
  let heard = 0;
  const { device, print, draw, keys } = deviceHandlers(left, lent, () => heard++);
  const body = { osId: 'crab', epoch: 1, first: 0, delivered: 0, data: new Uint8Array(), hold: false };
  const answers = [
    print?.({ ...body, device: 'printer0' }, ''),
    print?.({ ...body, device: 'printer1' }, ''),
    device?.({ osId: 'crab', epoch: 1, device: 'disk9' }, ''),
    draw?.({ epoch: 1, device: 'printer0', rects: [] }, ''),
  ];
  assert.deepEqual(await Promise.all(answers.map(each => Promise.resolve(each))), [
    'left: print printer0',
    'lent: print printer1',
    'left: device disk9',
    'lent: draw printer0',
  ]);
  assert.equal(heard, 2);
  assert.equal(keys, undefined);
});

test('where nothing was left nobody asks for it', () => {
  assert.deepEqual(Object.keys(deviceHandlers(undefined, lent)), ['print', 'draw']);
});

test('a standby to which nothing was left answers what can be lent, a ghost also what was left', async () => {
  const services = await loadServices();
  const load = async (): Promise<void> => {};
  const really = new LentDevices('c', 60_000, load, () => {}, services);
  const standby = Object.keys(deviceHandlers(undefined, really));
  for (const message of ['screen', 'draw', 'keys', 'print']) assert.ok(standby.includes(message));
  assert.ok(!standby.includes('device'));
  const nothing = new DevicesLeft(
    { osId: 'crab', epoch: 1, behind: [] },
    { name: 'c', address: '' },
    'aes128gcm',
    services,
  );
  const ghost = Object.keys(deviceHandlers(nothing, really));
  for (const message of [...standby, 'device']) assert.ok(ghost.includes(message));
});
