// Every class of the list has a folder that keeps what its line promises, and no folder is without a line.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import { deviceClasses, deviceClassNames, servingClasses } from '#core/device-class.ts';
import { YadoError } from '#core/errors.ts';
import type { ClassOfDevices } from '#devices/device.ts';
import type { LeftClass, Lendable } from '#devices/service.ts';
import { lookAgain, probeDevices } from './device-list.ts';
import { leftClasses, serviceList } from './service-list.ts';

const devices = join(import.meta.dirname, '../devices');
const nowhere = () => '127.0.0.1';

test('the folders are those of the list', () => {
  const folders = readdirSync(devices, { withFileTypes: true }).filter(each => each.isDirectory());
  assert.deepEqual(folders.map(each => each.name).toSorted(), deviceClassNames.toSorted());
});

for (const name of deviceClassNames) {
  const { lendable, remote } = deviceClasses[name];

  test(`${name}: its folder says how a device is found`, async () => {
    const { deviceClass } = (await import(join(devices, name, 'class.ts'))) as {
      deviceClass: ClassOfDevices<typeof name>;
    };
    assert.equal(typeof deviceClass.probe, 'function');
  });

  test(`${name}: its folder serves what its line promises, and nothing else`, () => {
    const service: { lend?: Lendable; left?: LeftClass } | undefined = serviceList[name];
    assert.equal(existsSync(join(devices, name, 'service.ts')), servingClasses.includes(name));
    assert.deepEqual([service?.lend !== undefined, service?.left !== undefined], [lendable, remote]);
    for (const each of [service?.lend, service?.left]) assert.notEqual(each?.messages.length, 0);
    if (service?.left) {
      assert.ok(leftClasses.includes(service.left));
      const nothing = { kind: name, device: `${name}0`, more: 1 };
      assert.ok(!v.is(service.left.schema, nothing), 'what lies on disks is checked to the last field');
    }
  });
}

test('settings of a class are checked by its folder, and one without any says so', () => {
  const wrong = (settings: object, reason: RegExp): void =>
    assert.throws(
      () => lookAgain([], { machineAddress: nowhere, settings }),
      (error: unknown) =>
        error instanceof YadoError && error.code === 'badConfig' && reason.test(error.message),
    );
  wrong({ printer: { uri: 'ipp://printer.example/' } }, /\[printer\] .*the address as a number/);
  wrong({ printer: {} }, /\[printer\] .*uri/);
  const among = { input: { probe: () => undefined } };
  assert.throws(
    () => probeDevices({ machineAddress: nowhere, settings: { input: { speed: 2 } } }, among),
    /there is nothing to set of the class input/,
  );
});
