// Printer ports as sysfs shows them: parallel ones, USB printers, and never our own stub.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree } from '#linux/fixture-tree.ts';
import { findPort, listPrinterPorts } from '#linux/printer-ports.ts';

const laser = 'MFG:Crab;MDL:Laser 3;SN:1;';

test('parallel ports and USB printers are listed, what CUSE serves is not', () => {
  using tree = new FixtureTree({
    'sys/class/printer/lp0/dev': '6:0\n',
    'proc/sys/dev/parport/parport0/autoprobe': 'CLASS:PRINTER;\nMODEL:Dot;\n',
    'sys/class/usbmisc/lp0/dev': '180:0\n',
    'sys/class/usbmisc/lp0/device/ieee1284_id': laser,
    'sys/class/usbmisc/hiddev0/dev': '180:96\n',
    'sys/class/cuse/usb!lp1/dev': '240:0\n',
  });
  const ports = listPrinterPorts(tree.root);
  assert.deepEqual(
    ports.map(each => [each.path, each.kind, each.deviceId, each.major, each.minor]),
    [
      ['/dev/lp0', 'parallel', 'CLASS:PRINTER;MODEL:Dot;', 6, 0],
      ['/dev/usb/lp0', 'usb', laser, 180, 0],
    ],
  );
});

test('a printer that comes back under another number is found by what it says it is', () => {
  const plugged = (name: string, deviceId: string) =>
    new FixtureTree({
      [`sys/class/usbmisc/${name}/dev`]: '180:4',
      [`sys/class/usbmisc/${name}/device/ieee1284_id`]: deviceId,
    });
  using before = plugged('lp0', laser);
  using after = plugged('lp4', laser);
  using other = plugged('lp0', 'MFG:Other;');
  const [known] = listPrinterPorts(before.root);
  assert.equal(findPort(listPrinterPorts(after.root), known!)?.name, 'lp4');
  assert.equal(findPort(listPrinterPorts(other.root), known!), undefined);
  assert.equal(findPort([], known!), undefined);
});
