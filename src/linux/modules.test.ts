// Which module a device needs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree } from '#linux/fixture-tree.ts';
import {
  driverAliases,
  keepOutLines,
  modulesFor,
  parseBuiltinModinfo,
  parseModulesAlias,
  virtioModalias,
} from '#linux/modules.ts';

const table = [
  ...parseModulesAlias(`# Aliases extracted from modules themselves.
alias pci:v00001013d000000B8sv00001AF4sd00001100bc*sc*i* cirrus
alias pci:v00001234d00001111sv*sd*bc*sc*i* bochs-drm
alias pci:v*d*sv*sd*bc01sc06i01* ahci
alias acpi*:PNP050[01]:* serial8250
alias fs-erofs erofs
`),
  ...parseBuiltinModinfo('pcieport.alias=pci:v*d*sv*sd*bc06sc04i00*\0pcieport.license=GPL\0'),
];
const names = (modalias: string) => modulesFor(modalias, table).map(alias => alias.module);

test('modaliases are matched like modprobe does', () => {
  assert.deepEqual(names('pci:v00001013d000000B8sv00001AF4sd00001100bc03sc00i00'), ['cirrus']);
  assert.deepEqual(names('pci:v00001234d00001111sv00001AF4sd00001100bc03sc00i00'), ['bochs_drm']);
  assert.deepEqual(names('pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01'), ['ahci']);
  assert.deepEqual(names('acpi:PNP0501:'), ['serial8250']);
  assert.deepEqual(names('acpi:PNP0502:'), []);
  assert.deepEqual(names('fs-erofs'), ['erofs']);
  assert.deepEqual(names('pci:v0000FFFFd00001111sv00001AF4sd00001100bc03sc00i00'), []);
  const [builtin] = modulesFor('pci:v00001B36d0000000Csv0sd0bc06sc04i00', table);
  assert.equal(builtin?.builtin, true);
});

test('drivers that are built in are known by what they are: registered, and what they have taken here', () => {
  const at = 'sys/devices/pci0000:00/0000:00:04.0';
  using tree = new FixtureTree({
    'sys/bus/pci/drivers/virtio-pci/bind': '',
    'sys/bus/pci/drivers/e1000e/bind': '',
    [`${at}/modalias`]: 'pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00\n',
    [`${at}/driver`]: { link: 'sys/bus/pci/drivers/e1000e' },
    'sys/bus/pci/devices/0000:00:04.0': { link: at },
  });
  const builtin = driverAliases(tree.root);
  const found = (modalias: string) =>
    modulesFor(modalias, builtin).map(alias => [alias.module, alias.builtin]);
  assert.deepEqual(found('pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00'), [['virtio_pci', true]]);
  assert.deepEqual(found('pci:v00008086d000010D3sv00001043sd00008000bc02sc00i00'), [['e1000e', true]]);
  assert.deepEqual(found('pci:v00008086d000010D4sv00008086sd0000A01Fbc02sc00i00'), []);
  using none = new FixtureTree({});
  assert.deepEqual(driverAliases(none.root), []);
});

test('a virtio card names the device behind it', () => {
  const gpu = { vendor: 0x1af4, device: 0x1050, subsystemDevice: 0x1100 };
  assert.equal(virtioModalias(gpu), 'virtio:d00000010v00001AF4');
  assert.equal(virtioModalias({ ...gpu, device: 0x1000, subsystemDevice: 1 }), 'virtio:d00000001v00001AF4');
  assert.equal(virtioModalias({ ...gpu, vendor: 0x8086 }), undefined);
});

test('modules are kept out for whoever asks, by name or for a card', () => {
  assert.match(keepOutLines(['qxl']), /^blacklist qxl\ninstall qxl \/bin\/false$/m);
  assert.equal(keepOutLines([]), '');
});

test('a hostile modalias costs no time', () => {
  const started = performance.now();
  const hostile = parseModulesAlias(`alias pci:v${'*d'.repeat(20)}x evil\n`);
  modulesFor(`pci:v${'d'.repeat(20_000)}`, [...table, ...hostile]);
  assert.ok(performance.now() - started < 2000);
});
