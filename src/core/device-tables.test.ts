// The two tables of the paper: Fig. 6 (status) and Fig. 7 (location).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  afterArrival,
  type DeviceLocationTable,
  deviceLocationCells,
  locate,
  parseDeviceLocationTable,
  withLocation,
} from './device-location-table.ts';
import {
  type DeviceStatusRow,
  type DeviceStatusTable,
  deviceStatusCells,
  itemState,
  parseDeviceStatusTable,
  withActual,
  withDevice,
  withItem,
  withoutDevice,
} from './device-status-table.ts';

const display: DeviceStatusRow = {
  device: 'display0',
  class: 'display',
  osType: 'VGA A',
  actualType: 'VGA A',
  way: 'direct',
  items: [{ item: 'mode', state: '1280x1024, 65536 colours' }],
};
const table: DeviceStatusTable = [display];

test('status: items are recorded without touching the old table', () => {
  const next = withItem(withItem(table, 'display0', 'framebuffer', '2.5 MiB'), 'display0', 'mode', '640x480');
  assert.equal(itemState(next, 'display0', 'mode'), '640x480');
  assert.equal(itemState(next, 'display0', 'framebuffer'), '2.5 MiB');
  assert.equal(itemState(table, 'display0', 'mode'), '1280x1024, 65536 colours');
  assert.throws(() => withItem(table, 'display9', 'mode', 'x'), { code: 'unknownDevice' });
});

test('status: after the move the OS type stays, the actual type changes', () => {
  const [row] = withActual(table, 'display0', 'VGA B', 'converted');
  assert.deepEqual({ ...row }, { ...display, actualType: 'VGA B', way: 'converted' });
});

test('status: a row replaces that of the same device; one can be taken out', () => {
  assert.equal(withDevice(table, { ...display, osType: 'X' }).length, 1);
  assert.equal(withDevice(table, { ...display, device: 'display1' }).length, 2);
  assert.deepEqual(withoutDevice(table, 'display0'), []);
});

test('status: survives JSON, and refuses what is not a table', () => {
  assert.deepEqual(parseDeviceStatusTable(JSON.parse(JSON.stringify(table))), table);
  for (const bad of [null, {}, [{}], [{ ...display, way: 'magic' }], [display, display]]) {
    assert.throws(() => parseDeviceStatusTable(bad), { code: 'badRequest' });
  }
});

test('status: Fig. 6 as cells, the device named once', () => {
  assert.deepEqual(deviceStatusCells(withItem(table, 'display0', 'cursor', '3,4')), [
    ['display0', 'VGA A', 'VGA A', 'direct', 'mode', '1280x1024, 65536 colours'],
    ['', '', '', '', 'cursor', '3,4'],
  ]);
});

test('status: long names go on in the next line', () => {
  const mouse = { ...display, osType: 'AT Translated Set 2 keyboard, ImExPS/2 Generic Explorer Mouse' };
  assert.deepEqual(
    deviceStatusCells([mouse]).map(cells => [cells[1], cells[4]]),
    [
      ['AT Translated Set 2', 'mode'],
      ['keyboard, ImExPS/2 Generic', ''],
      ['Explorer Mouse', ''],
    ],
  );
});

const places: DeviceLocationTable = [
  { device: 'display0', computer: 'a', epoch: 1 },
  { device: 'printer0', computer: 'a', epoch: 1 },
];

test('location: after the arrival the printer is still at A (Fig. 7)', () => {
  const next = afterArrival(places, 'b', 2, ['display0', 'network0']);
  assert.deepEqual(deviceLocationCells(next), [
    ['display0', 'b', '2'],
    ['printer0', 'a', '2'],
    ['network0', 'b', '2'],
  ]);
  assert.equal(locate(next, 'printer0').computer, 'a');
});

test('location: older epochs are refused, the same one is not', () => {
  assert.throws(() => withLocation(places, 'printer0', 'c', 0), { code: 'staleEpoch' });
  assert.equal(locate(withLocation(places, 'printer0', 'c', 1), 'printer0').computer, 'c');
  assert.throws(() => afterArrival(places, 'b', 1, []), { code: 'staleEpoch' });
});

test('location: survives JSON, and refuses what is not a table', () => {
  assert.deepEqual(parseDeviceLocationTable(JSON.parse(JSON.stringify(places))), places);
  for (const bad of ['x', [{ device: 'd', computer: 'a', epoch: -1 }], [places[0], places[0]]]) {
    assert.throws(() => parseDeviceLocationTable(bad), { code: 'badRequest' });
  }
});
