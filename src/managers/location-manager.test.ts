// The location manager routes by its table: to the driver here, or to the computer that has the device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Drivers } from '#devices/device.ts';
import { fakeOs } from './fake-keys.ts';
import { LocationManager, type OsPlace } from './location-manager.ts';

const addresses: Readonly<Record<string, string>> = { a: '10.77.0.1', b: '10.77.0.2', c: '10.77.0.3' };

/** An OS that can be put elsewhere. */
function os() {
  const now = { computer: 'a', epoch: 5 };
  const computer = (name: string) => ({ name, address: addresses[name] ?? '' });
  const place: OsPlace = {
    osId: 'crab',
    keys: fakeOs,
    here: () => computer(now.computer),
    epoch: () => now.epoch,
    computer,
  };
  return { now, place };
}

const drivers: Drivers<string> = {
  here: () => 'own driver',
  there: ({ peer, osId, device, epoch }) =>
    `${device} of ${peer.name} (${peer.ip}:${peer.port} from ${peer.localIp}) for ${osId} in ${epoch}`,
};

test('a device that is here has the driver of this computer', () => {
  const locations = new LocationManager(os().place, ['printer0']);
  assert.equal(locations.route('printer0')(drivers), 'own driver');
  assert.equal(locations.elsewhere('printer0'), undefined);
});

test('what was left behind is used from there, what was not is here; at home again all is', () => {
  const { now, place } = os();
  const locations = new LocationManager(place, ['disk0', 'display0']);
  Object.assign(now, { computer: 'b', epoch: 6 });
  const way = { class: 'display', reason: '' } as const;
  locations.arrived([
    { ...way, device: 'disk0', way: 'remote', computer: 'a' },
    { ...way, device: 'display0', way: 'converted', computer: 'b' },
  ]);
  assert.equal(locations.route('disk0')(drivers), 'disk0 of a (10.77.0.1:7400 from 10.77.0.2) for crab in 6');
  assert.equal(locations.elsewhere('disk0'), 'a');
  assert.equal(locations.route('display0')(drivers), 'own driver');
  Object.assign(now, { computer: 'a', epoch: 7 });
  locations.arrived([{ ...way, device: 'disk0', way: 'direct', computer: 'a' }]);
  assert.equal(locations.route('disk0')(drivers), 'own driver');
});

test('a route stays as it was when it was asked for; the next one follows the table', () => {
  const locations = new LocationManager(os().place, ['display0']);
  const before = locations.route('display0');
  locations.put('display0', 'c');
  assert.equal(before(drivers), 'own driver');
  assert.equal(
    locations.route('display0')(drivers),
    'display0 of c (10.77.0.3:7400 from 10.77.0.1) for crab in 5',
  );
});

test('an agent that is started anew knows what is elsewhere, and forgets devices the OS no longer has', () => {
  const saved = [
    { device: 'disk0', computer: 'c', epoch: 4 },
    { device: 'scanner0', computer: 'c', epoch: 4 },
  ];
  const locations = new LocationManager(os().place, ['disk0', 'display0'], saved);
  assert.deepEqual(locations.table, [
    { device: 'disk0', computer: 'c', epoch: 5 },
    { device: 'display0', computer: 'a', epoch: 5 },
  ]);
  assert.deepEqual([locations.isHere('disk0'), locations.isHere('display0')], [false, true]);
  assert.equal(locations.isHere('scanner0'), false);
  assert.throws(() => locations.route('scanner0'), { code: 'unknownDevice' });
});
