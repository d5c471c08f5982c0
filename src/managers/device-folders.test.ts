// Every class of the list has a folder that keeps what its line promises, and no folder is without a line.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import { deviceClasses, deviceClassNames, servingClasses } from '#core/device-class.ts';
import { YadoError } from '#core/errors.ts';
import type { LeftClass, Lendable } from '#devices/service.ts';
import { DeviceList, loadClasses } from './device-list.ts';
import { leftClasses, loadServices } from './service-list.ts';

const devices = join(import.meta.dirname, '../devices');
const nowhere = () => '127.0.0.1';
const classes = await loadClasses();
const services = await loadServices();

test('the folders are those of the list', () => {
  const folders = readdirSync(devices, { withFileTypes: true }).filter(each => each.isDirectory());
  assert.deepEqual(folders.map(each => each.name).toSorted(), deviceClassNames.toSorted());
});

for (const name of deviceClassNames) {
  const { lendable, remote } = deviceClasses[name];

  test(`${name}: its folder says how a device is found`, () => {
    assert.equal(typeof classes[name]?.probe, 'function');
  });

  test(`${name}: its folder serves what its line promises, and nothing else`, () => {
    const service: { lend?: Lendable; left?: LeftClass } | undefined = services[name];
    assert.equal(existsSync(join(devices, name, 'service.ts')), servingClasses.includes(name));
    assert.deepEqual([service?.lend !== undefined, service?.left !== undefined], [lendable, remote]);
    for (const each of [service?.lend, service?.left]) assert.notEqual(each?.messages.length, 0);
    if (service?.left) {
      assert.ok(leftClasses(services).includes(service.left));
      const nothing = { kind: name, device: `${name}0`, more: 1 };
      assert.ok(!v.is(service.left.schema, nothing), 'what lies on disks is checked to the last field');
    }
  });
}

test('settings of a class are checked by its folder, and one without any says so', () => {
  const wrong = (settings: object, reason: RegExp): void =>
    assert.throws(
      () => new DeviceList(classes).lookAgain([], { machineAddress: nowhere, settings }),
      (error: unknown) =>
        error instanceof YadoError && error.code === 'badConfig' && reason.test(error.message),
    );
  wrong({ printer: { uri: 'ipp://printer.example/' } }, /\[printer\] .*the address as a number/);
  wrong({ printer: {} }, /\[printer\] .*uri/);
  const list = new DeviceList({ input: { probe: () => undefined } });
  assert.throws(
    () => list.probe({ machineAddress: nowhere, settings: { input: { speed: 2 } } }),
    /there is nothing to set of the class input/,
  );
});
