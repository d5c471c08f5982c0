// A class nobody has thought of, added to a copy of the sources: its folder and one line of one list. The types still hold,
// and the copy finds its device, lends it, and serves one that was left.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '..');
const copy = mkdtempSync(join(tmpdir(), 'yado-class-'));
after(() => rmSync(copy, { recursive: true }));

const line =
  "  scanner: { replaceable: false, remote: true, lendable: true, pciClasses: [0x10], modules: ['usbsane'] },\n";

const folder = {
  'class.ts': `
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { type ClassOfDevices, type Device, rememberedType } from '../device.ts';

class Scanner implements Device {
  readonly id = 'scanner0';
  readonly #typeName: string;
  constructor(remembered: unknown) {
    this.#typeName = rememberedType(remembered) ?? 'scanner at lp0';
  }
  describe(): DeviceStatusRow {
    const osType = this.#typeName;
    return { device: this.id, class: 'scanner', osType, actualType: osType, way: 'direct', items: [] };
  }
  pciAddress() {
    return undefined;
  }
  plans() {
    return {};
  }
  async restore() {}
  leaveBehind() {
    return { kind: 'scanner', device: this.id } as const;
  }
}

export const deviceClass = {
  probe: ({ remembered }) => new Scanner(remembered),
  mayComeLater: true,
} satisfies ClassOfDevices<'scanner'>;
`,
  'service.ts': `
import * as v from 'valibot';
import { leftClass, type LentService, type ServiceOf } from '../service.ts';

const Left = v.strictObject({ kind: v.literal('scanner'), device: v.string() });
const answers = (exportName: string) => ({
  device: () => ({ ready: true, exportName, port: 6566, secret: new Uint8Array(32), cipher: 'aes128gcm' as const }),
  stop: async () => {},
});

export const service = {
  lend: {
    messages: ['device'],
    open: async () => ({ typeName: 'a scanner', service: answers('lent') satisfies LentService }),
  },
  left: leftClass(Left, ['device'], state => ({ state, serve: async () => {}, ...answers('left') })),
} satisfies ServiceOf<'scanner'>;
`,
};

before(() => {
  const folders = ['src', 'standby', 'packaging', 'native', 'test/fuzz'];
  const files = ['package.json', 'tsconfig.json', 'lab/time.ts', 'lab/lab-error.ts'];
  for (const name of [...folders, ...files]) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const list = join(copy, 'src/core/device-class.ts');
  writeFileSync(list, readFileSync(list, 'utf8').replace(/^ {2}network: /m, `${line}$&`));
  mkdirSync(join(copy, 'src/devices/scanner'));
  for (const [name, text] of Object.entries(folder))
    writeFileSync(join(copy, 'src/devices/scanner', name), text);
});

test('the types still hold, and miss what the line promises and the folder has not', () => {
  const tsc = (project: string): string => {
    const { stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', join(copy, project)], {
      encoding: 'utf8',
    });
    return stdout;
  };
  assert.equal(tsc('tsconfig.json'), '');
  const half = join(copy, 'src/devices/half.ts');
  writeFileSync(half, folder['service.ts'].replace('  left:', '  lost:').replace("'../s", "'./s"));
  const alone = { extends: './tsconfig.json', include: [half] };
  writeFileSync(join(copy, 'alone.json'), JSON.stringify(alone));
  assert.match(tsc('alone.json'), /half\.ts.*'lost' does not exist in type 'ServiceOf<"scanner">'/);
  rmSync(half);
});

test('what is tested of every class is tested of it', () => {
  const tests = join(copy, 'src/managers/device-folders.test.ts');
  const told = execFileSync(process.execPath, ['--test', '--test-reporter=tap', tests], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  assert.match(told, /^\s*ok \d+ - scanner: its folder serves what its line promises/m);
});

test('a standby loads its modules when one is lent', async () => {
  const { lendableModules } = (await import(pathToFileURL(join(copy, 'standby/modules.ts')).href)) as {
    lendableModules: Readonly<Record<string, readonly string[]>>;
  };
  assert.deepEqual(lendableModules.scanner, ['usbsane']);
});

/** Runs in the copy, and says what there is. */
const agent = `
import * as v from 'valibot';
import { deviceHandlers } from '#agent/device-handlers.ts';
import { leftBehindSchema } from '#agent/ghost-state.ts';
import { DevicesLeft } from '#agent/left-behind.ts';
import { LentDevices } from '#agent/lent-devices.ts';
import { decideWay } from '#core/device-ways.ts';
import { DeviceList, loadClasses } from '#managers/device-list.ts';
import { loadServices } from '#managers/service-list.ts';
import { StatusManager } from '#managers/status-manager.ts';
import { checkRequest } from '#wire/control.ts';

console.log = () => {};
const os = { machineAddress: () => '127.0.0.1' };
const found = new DeviceList(await loadClasses()).lookAgain([{ id: 'disk0' }, { id: 'network0' }], os);
const services = await loadServices();
const scanner = found.find(each => each.id === 'scanner0');
const status = new StatusManager([scanner]);

const left = v.parse(leftBehindSchema(services), { osId: 'crab', epoch: 7, behind: [scanner.leaveBehind()] });
const behind = new DevicesLeft(left, { name: 'c', address: '127.0.0.1' }, 'aes128gcm', services);
const lent = new LentDevices('c', 60_000, async () => {}, () => {}, services);
const handlers = { ...lent.handlers, ...deviceHandlers(behind, lent) };
const ask = (type, body) => handlers[type](checkRequest(type, { osId: 'crab', epoch: 7, ...body }), 'crab');
const lend = await ask('lend', { device: 'scanner1', class: 'scanner' });
const places = [];
for (const device of ['scanner0', 'scanner1']) places.push((await ask('device', { device })).exportName);

const moving = { device: 'scanner0', class: 'scanner', osType: 'x', computer: 'a' };
const { way } = decideWay(moving, { name: 'a', pci: [] }, { name: 'b', pci: [], devices: [] });
process.stdout.write(JSON.stringify({
  found: found.map(each => each.id),
  table: status.table(() => undefined).map(each => [each.device, each.class, each.osType]),
  typeName: lend.typeName,
  places,
  way,
}));
process.exit();
`;

test('the agent finds it in its place, lends it, serves one that was left, and leaves it where it is', () => {
  writeFileSync(join(copy, 'agent.mjs'), agent);
  const told = execFileSync(process.execPath, [join(copy, 'agent.mjs')], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.deepEqual(JSON.parse(told), {
    found: ['disk0', 'scanner0', 'network0'],
    table: [['scanner0', 'scanner', 'scanner at lp0']],
    typeName: 'a scanner',
    places: ['left', 'lent'],
    way: 'remote',
  });
});
