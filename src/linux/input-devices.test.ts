// Which input devices are taken, from a directory that looks like /sys of a lab computer and of a laptop.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { listInputDevices, parseBits } from '#linux/input-devices.ts';

interface Fixture {
  readonly place: string;
  readonly name: string;
  readonly bus: string;
  readonly key?: string;
  readonly rel?: string;
  readonly abs?: string;
  readonly led?: string;
  readonly properties?: string;
}

function input(number: number, { place, name, bus, properties = '0', ...bits }: Fixture): Tree {
  const at = `${place}/input/input${number}`;
  const capabilities = Object.entries({ key: '0', rel: '0', abs: '0', led: '0', ...bits });
  return {
    [`${at}/name`]: `${name}\n`,
    [`${at}/id/bustype`]: `${bus}\n`,
    [`${at}/properties`]: `${properties}\n`,
    ...Object.fromEntries(capabilities.map(([kind, text]) => [`${at}/capabilities/${kind}`, `${text}\n`])),
    [`${at}/event${number}/uevent`]: '',
    [`sys/class/input/input${number}`]: { link: at },
    [`sys/class/input/event${number}`]: { link: `${at}/event${number}` },
  };
}

const i8042 = 'sys/devices/platform/i8042';
const usb = 'sys/devices/pci0000:00/0000:00:01.2/usb1/1-1';
const acpi = 'sys/devices/LNXSYSTM:00';
const letters = '402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe';
const mouseButtons = '70000 0 0 0 0';
const tree: Tree = {
  ...input(0, { place: `${acpi}/LNXPWRBN:00`, name: 'Power Button', bus: '0019', key: '10000000000000 0' }),
  ...input(1, { place: `${i8042}/serio0`, name: 'AT keyboard', bus: '0011', key: letters, led: '7' }),
  ...input(2, { place: `${i8042}/serio1`, name: 'PS/2 Mouse', bus: '0011', key: mouseButtons, rel: '3' }),
  ...input(3, { place: 'sys/devices/platform/pcspkr', name: 'PC Speaker', bus: '0010' }),
  ...input(4, { place: usb, name: 'QEMU USB Tablet', bus: '0003', key: mouseButtons, rel: '100', abs: '3' }),
  ...input(5, { place: 'sys/devices/virtual', name: 'Yadokari keyboard', bus: '0006', key: letters }),
  ...input(6, { place: `${acpi}/LNXVIDEO:00`, name: 'Video Bus', bus: '0019', key: '3e000b00000000 0 0 0' }),
  ...input(7, { place: `${usb}/a`, name: 'Pad', bus: '0003', key: '2000000000000 0 0 0 0', abs: '3' }),
  ...input(8, { place: `${usb}/b`, name: 'Sleep key', bus: '0003', key: '4000 10000000000000 0' }),
  ...input(9, { place: `${usb}/c`, name: 'Volume\u0007', bus: '0003', key: '1c000000000000 0' }),
  ...input(10, { place: `${usb}/d`, name: 'Touch', bus: '0003', key: '420 10000 0 0 0 0', abs: '3' }),
  ...input(11, { place: `${usb}/e`, name: 'Touchpad', bus: '0018', key: 'e420 10000 0 0 0 0', abs: '3' }),
  ...input(12, {
    place: `${usb}/f`,
    name: 'Touch screen',
    bus: '0018',
    key: '400 0 0 0 0 0',
    abs: '3',
    properties: '2',
  }),
  ...input(13, {
    place: `${usb}/g`,
    name: 'Gamepad',
    bus: '0003',
    key: '7fdb000000000000 0 0 0 0',
    abs: '3',
  }),
  'sys/class/input/mice/uevent': '',
};

test('keyboards and pointers are found; buttons, speakers, game pads and programs’ own devices are not', () => {
  using fixture = new FixtureTree(tree);
  const found = listInputDevices(fixture.root);
  assert.deepEqual(
    found.map(each => [each.name, each.kind, each.absolute]),
    [
      ['AT keyboard', 'keyboard', false],
      ['PS/2 Mouse', 'pointer', false],
      ['QEMU USB Tablet', 'pointer', true],
      ['Volume?', 'keyboard', false],
      ['Touch', 'pointer', true],
      ['Touchpad', 'pointer', true],
      ['Touch screen', 'pointer', true],
    ],
  );
  assert.deepEqual(found[0], {
    path: '/dev/input/event1',
    id: 'input1',
    name: 'AT keyboard',
    kind: 'keyboard',
    absolute: false,
    direct: false,
    touchpad: false,
    hasLights: true,
  });
  assert.deepEqual(
    found.filter(each => each.touchpad).map(each => each.name),
    ['Touch', 'Touchpad'],
  );
  assert.deepEqual(
    found.filter(each => each.direct).map(each => each.name),
    ['Touch screen'],
  );
});

test('no sysfs, no devices', () => {
  assert.deepEqual(listInputDevices('/nonexistent'), []);
});

test('sets of bits as the kernel prints them', () => {
  assert.deepEqual([...parseBits('5')], [0, 2]);
  assert.deepEqual([...parseBits('1 0 8000000000000000')], [63, 128]);
  assert.deepEqual([...parseBits('nonsense')], []);
});
